import { KIND_NAMES } from '../../domain/budget/cost.ts';
import { scaledRate } from '../../domain/budget/exact-rate.ts';
import type { PriceTable, TokenKind, TokenRate, TokenRates } from '../../contracts/budget.ts';

const REGIONAL_HOST = /^[a-z]{2}\.api\.openai\.com$/;
/** OpenAI's pricing page: 10 % more for processing in a region, for models from gpt-5.4 on. Checked 2026-11-23. */
const CHARGED = /^gpt-(5\.([4-9]|\d\d)|[6-9])/;

/** A listed price at the endpoint that serves it: OpenAI's endpoints of a region cost more. */
export function priceAtEndpoint(price: PriceTable, baseUrl: string | undefined): PriceTable {
  if (baseUrl === undefined || !REGIONAL_HOST.test(new URL(baseUrl).hostname) || !CHARGED.test(price.model)) return price;
  const tiers = Object.entries(price.serviceTiers ?? {}).map(([name, rates]) => [name, scaled(rates)] as const);
  return {
    ...price,
    ...scaled(price),
    ...(tiers.length === 0 ? {} : { serviceTiers: Object.fromEntries(tiers) }),
    source: `${price.source}, 10 % more for ${new URL(baseUrl).hostname}`,
  };
}

function scaled(rates: TokenRates): TokenRates {
  const kinds = Object.keys(KIND_NAMES) as TokenKind[];
  const entries = kinds.flatMap((kind): [TokenKind, TokenRate][] => {
    const rate = rates[kind];
    return rate ? [[kind, scaledRate(rate, [11, 10])]] : [];
  });
  return Object.fromEntries(entries) as unknown as TokenRates;
}
