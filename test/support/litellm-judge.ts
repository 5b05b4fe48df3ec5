import { readFileSync } from 'node:fs';
import type { TokenUsage } from '../../contracts/model.ts';
import type { BillLine } from './stage.ts';

/** A model in LiteLLM's price map. */
export type PriceEntry = Readonly<Record<string, number | string | undefined>>;

/**
 * LiteLLM's own arithmetic, from its map: one rate per kind, the whole request at the rate above an edge that the input exceeds.
 * Null where the map has no rate for what was used.
 */
export function judge(entry: PriceEntry, used: TokenUsage, tier = ''): number | null {
  const edge = Object.keys(entry)
    .flatMap((field) => /^input_cost_per_token_above_(\d+)k_tokens$/.exec(field)?.[1] ?? [])
    .map((thousands) => Number(thousands))
    .filter((thousands) => used.inputTokens > thousands * 1_000)
    .sort((a, b) => b - a)[0];
  const rate = (field: string): number | undefined => {
    const above = edge === undefined ? undefined : entry[`${field}_above_${edge}k_tokens${tier}`];
    if (edge !== undefined && above === undefined && tier !== '') return undefined;
    return (above ?? entry[`${field}${tier}`]) as number | undefined;
  };
  const hour = used.cacheWriteOneHourTokens ?? 0;
  const counts: readonly (readonly [number, number | undefined])[] = [
    [used.inputTokens - used.cachedInputTokens - used.cacheWriteTokens, rate('input_cost_per_token')],
    [used.cachedInputTokens, rate('cache_read_input_token_cost') ?? (tier === '' ? rate('input_cost_per_token') : undefined)],
    [used.cacheWriteTokens - hour, rate('cache_creation_input_token_cost')],
    [hour, rate('cache_creation_input_token_cost_above_1hr')],
    [used.outputTokens, rate('output_cost_per_token')],
  ];
  let sum = 0;
  for (const [tokens, usd] of counts) {
    if (tokens === 0) continue;
    if (usd === undefined) return null;
    sum += tokens * usd * 1e9;
  }
  return Math.ceil(Number(sum.toPrecision(12)));
}

/** What the provider charged beside what LiteLLM's map (a file) says that the tokens cost. */
export function secondOpinion(priceMap: string, bill: readonly BillLine[]): { readonly lines: number; readonly problems: readonly string[] } {
  const map = JSON.parse(readFileSync(priceMap, 'utf8')) as Record<string, PriceEntry>;
  const charged = bill.filter(({ nanoUsd }) => nanoUsd > 0);
  const problems = charged.flatMap(({ model, nanoUsd, inputTokens, cachedTokens, outputTokens, reasoningTokens, requestId }) => {
    const used = { inputTokens, outputTokens, cachedInputTokens: cachedTokens, cacheWriteTokens: 0, reasoningTokens };
    const expected = map[model] ? judge(map[model], used) : null;
    return expected === nanoUsd ? [] : [`${requestId}: the provider charged ${nanoUsd} for ${model}, and LiteLLM's price map says ${expected}`];
  });
  return { lines: charged.length, problems };
}
