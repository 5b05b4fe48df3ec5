import type { NanoUsd, PriceTable, TokenRate, TokenRates } from '../../contracts/budget.ts';
import { ratesOf } from './cost.ts';
import { ceilToNano, dearestRate, type ExactAmount, larger } from './exact-rate.ts';
import { nanoUsd } from './ledger.ts';

/**
 * The most a call of text can cost in nano-USD, whether it runs in the service tier that the request states or is served in the
 * standard one: every input token at the dearest rate that input may be charged at (uncached, written to the cache for an hour,
 * longest context), every permitted output token at the dearest output rate.
 */
export function upperBoundOf(price: PriceTable, maxInputTokens: number, maxOutputTokens: number, statedTier = 'standard'): NanoUsd {
  const tiers: TokenRates[] = [price, ratesOf(price, statedTier) ?? price];
  const input = dearestOf(tiers.flatMap(({ input: plain, cachedInput, cacheWrite, cacheWriteOneHour }) => [plain, cachedInput, cacheWrite, cacheWriteOneHour]));
  const output = dearestOf(tiers.flatMap(({ output: plain, reasoning }) => [plain, reasoning]));
  return ceilToNano(BigInt(maxInputTokens) * input + BigInt(maxOutputTokens) * output);
}

function dearestOf(rates: readonly (TokenRate | undefined)[]): ExactAmount {
  return rates.flatMap((rate) => (rate ? [dearestRate(rate)] : [])).reduce(larger, 0n);
}

/**
/** Nano-USD as a decimal string of USD, trailing zeros cut but never below two places: `0.0123`, `1.50`. */
export function formatUsd(amountNanoUsd: number | bigint): string {
  const sign = amountNanoUsd < 0 ? '-' : '';
  const digits = amountNanoUsd.toString().replace('-', '').padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '').padEnd(2, '0');
  return `${sign}${digits.slice(0, -9)}.${fraction}`;
}

/**
 * Reads a decimal number of USD into nano-USD, exactly. Null where it is no non-negative decimal number, has more than
 * nine decimal places, or is beyond 9 million.
 */
export function parseUsd(text: string): NanoUsd | null {
  const match = /^(\d{1,7})(?:\.(\d{1,9}))?$/.exec(text.trim());
  if (!match) return null;
  const value = Number(match[1]) * 1e9 + Number((match[2] ?? '').padEnd(9, '0'));
  return Number.isSafeInteger(value) ? nanoUsd(value) : null;
}
