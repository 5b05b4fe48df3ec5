import type { NanoUsd, PriceTable, TokenRate } from '../../contracts/budget.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import { nanoUsd } from './ledger.ts';

const PICO_PER_NANO = 1_000n;

/**
 * The cost of one call in nano-USD, rounded up once at the end. Input tokens include cached reads and cache writes,
 * which are priced at their own rates where the table has them, else as ordinary input. The long-context tier is
 * chosen by the whole input and reprices every token of the request.
 */
export function costOf(price: PriceTable, usage: TokenUsage): NanoUsd {
  const plainInput = Math.max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens);
  const pico =
    amount(plainInput, price.input, usage.inputTokens) +
    amount(usage.cachedInputTokens, price.cachedInput ?? price.input, usage.inputTokens) +
    amount(usage.cacheWriteTokens, price.cacheWrite ?? price.input, usage.inputTokens) +
    amount(usage.outputTokens, price.output, usage.inputTokens);
  return ceilToNano(pico);
}

/**
 * The most a call can cost in nano-USD: every input token at the dearest rate that input may be charged at (uncached,
 * cache write included, longest context), every permitted output token at the dearest output rate.
 */
export function upperBoundOf(price: PriceTable, maxInputTokens: number, maxOutputTokens: number): NanoUsd {
  const input = Math.max(dearest(price.input), price.cacheWrite ? dearest(price.cacheWrite) : 0, price.cachedInput ? dearest(price.cachedInput) : 0);
  return ceilToNano(BigInt(maxInputTokens) * BigInt(input) + BigInt(maxOutputTokens) * BigInt(dearest(price.output)));
}

/**
 * The rate of a price in USD per million tokens, in pico-USD per token. Rounded up, so that a bound stays a bound, and only
 * where the price has more than six decimal places: the product alone makes 4.03 a rate of 4030000.0000000005.
 */
export function picoUsdPerToken(usdPerMillion: number): number {
  return Math.ceil(Number((usdPerMillion * 1e6).toPrecision(15)));
}

/** Nano-USD as a decimal string of USD, trailing zeros cut but never below two places: `0.0123`, `1.50`. */
export function formatUsd(amountNanoUsd: number): string {
  const sign = amountNanoUsd < 0 ? '-' : '';
  const digits = Math.abs(amountNanoUsd).toString().padStart(10, '0');
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

function amount(tokens: number, rate: TokenRate, inputTokens: number): bigint {
  return BigInt(tokens) * BigInt(rateAt(rate, inputTokens));
}

function rateAt(rate: TokenRate, inputTokens: number): number {
  let result = rate.picoUsdPerToken;
  let reached = -1;
  for (const tier of rate.tiers ?? []) {
    if (inputTokens > tier.aboveInputTokens && tier.aboveInputTokens > reached) {
      result = tier.picoUsdPerToken;
      reached = tier.aboveInputTokens;
    }
  }
  return result;
}

function dearest(rate: TokenRate): number {
  return Math.max(rate.picoUsdPerToken, ...(rate.tiers ?? []).map((tier) => tier.picoUsdPerToken));
}

function ceilToNano(pico: bigint): NanoUsd {
  return nanoUsd(Number((pico + PICO_PER_NANO - 1n) / PICO_PER_NANO));
}
