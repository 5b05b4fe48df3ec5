import { calcPrice } from '@pydantic/genai-prices';
import type { PriceTable, TokenRate } from '../../contracts/budget.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import { picoUsdPerToken } from '../../domain/budget/price.ts';
import { taskPrice } from '../../domain/task/candidates.ts';

export interface PriceOverride {
  readonly model: string;
  readonly price: { readonly inputUsdPerMillion: number; readonly cachedInputUsdPerMillion?: number; readonly outputUsdPerMillion: number };
}

/** Prices of `@pydantic/genai-prices`, as released with this package (nothing is fetched), after the overrides. */
export function createPriceSource({ overrides = [] }: { readonly overrides?: readonly PriceOverride[] } = {}): PriceSource {
  return {
    priceOf: (model, provider, atMs) => {
      const override = overrides.find((candidate) => candidate.model === model);
      return override ? taskPrice(model, override.price, 'override') : listedPrice(model, provider, atMs);
    },
  };
}

function listedPrice(model: string, provider: string, atMs: number): PriceTable | null {
  const priced = calcPrice({ input_tokens: 0, output_tokens: 0 }, model, { providerId: provider, timestamp: new Date(atMs) });
  if (!priced) return null;
  const { input_mtok, output_mtok, cache_read_mtok, cache_write_mtok } = priced.model_price;
  if (input_mtok === undefined || output_mtok === undefined) return null;
  return {
    model,
    source: `genai-prices (${priced.provider.id}/${priced.model.id})`,
    input: toRate(input_mtok),
    ...(cache_read_mtok === undefined ? {} : { cachedInput: toRate(cache_read_mtok) }),
    ...(cache_write_mtok === undefined ? {} : { cacheWrite: toRate(cache_write_mtok) }),
    output: toRate(output_mtok),
  };
}

type Listed = number | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] };

function toRate(listed: Listed): TokenRate {
  if (typeof listed === 'number') return { picoUsdPerToken: picoUsdPerToken(listed) };
  return {
    picoUsdPerToken: picoUsdPerToken(listed.base),
    tiers: listed.tiers.map(({ start, price }) => ({ aboveInputTokens: start, picoUsdPerToken: picoUsdPerToken(price) })),
  };
}
