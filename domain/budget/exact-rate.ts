import { invariant } from '../../contracts/failures.ts';
import type { NanoUsd, TokenRate } from '../../contracts/budget.ts';
import { nanoUsd } from './ledger.ts';

/** Digits kept of a rate: its shortest decimal has no more, and what a float adds to it stands behind them. */
const DIGITS = 15;
const PLACES = 9;
const PER_NANO = 10n ** BigInt(PLACES + 3);

/** An exact amount: a whole number of 10⁻⁹ pico-USD. */
export type ExactAmount = bigint;

/** The rate of a price in USD per million tokens, in pico-USD per token: the decimal point moved, nothing rounded. */
export function picoUsdPerToken(usdPerMillion: number): number {
  return Number((usdPerMillion * 1e6).toPrecision(DIGITS));
}

/** The price of one token, exactly; a rate with more than nine places of pico-USD is rounded up. @throws TollgateError where it is no price. */
export function exactRate(pico: number): ExactAmount {
  invariant(Number.isFinite(pico) && pico >= 0, `a rate is a number of pico-USD per token, not ${pico}`);
  if (Number.isSafeInteger(pico)) return BigInt(pico) * 10n ** BigInt(PLACES);
  const [digits = '', exponent = ''] = pico.toExponential(DIGITS - 1).split('e');
  const shift = Number(exponent) - (DIGITS - 1) + PLACES;
  const whole = BigInt(digits.replace('.', ''));
  return shift >= 0 ? whole * 10n ** BigInt(shift) : ceilDivide(whole, 10n ** BigInt(-shift));
}

/** The rate at which a request of `inputTokens` is charged: that of the highest long-context tier it reaches. */
export function rateAt(rate: TokenRate, inputTokens: number): { readonly picoUsdPerToken: number; readonly aboveInputTokens: number | null } {
  const reached = (rate.tiers ?? []).filter((tier) => inputTokens > tier.aboveInputTokens);
  if (reached.length === 0) return { picoUsdPerToken: rate.picoUsdPerToken, aboveInputTokens: null };
  return reached.reduce((highest, tier) => (tier.aboveInputTokens > highest.aboveInputTokens ? tier : highest));
}

/** The dearest that one token of this kind can be, exactly. */
export function dearestRate(rate: TokenRate): ExactAmount {
  const rates = [rate.picoUsdPerToken, ...(rate.tiers ?? []).map((tier) => tier.picoUsdPerToken)].map(exactRate);
  return rates.reduce(larger);
}

export function larger(one: ExactAmount, other: ExactAmount): ExactAmount {
  if (one > other) return one;
  return other;
}

/** The rate times `numerator / denominator`, in every tier; rounded up at the last digit that a rate keeps. */
export function scaledRate(rate: TokenRate, [numerator, denominator]: readonly [number | bigint, number | bigint]): TokenRate {
  const scaled = (pico: number): number => {
    const exact = ceilDivide(exactRate(pico) * BigInt(numerator), BigInt(denominator));
    const cut = Math.max(0, exact.toString().length - DIGITS);
    return Number(`${ceilDivide(exact, 10n ** BigInt(cut))}e${cut - PLACES}`);
  };
  return {
    picoUsdPerToken: scaled(rate.picoUsdPerToken),
    ...(rate.tiers ? { tiers: rate.tiers.map((tier) => ({ ...tier, picoUsdPerToken: scaled(tier.picoUsdPerToken) })) } : {}),
  };
}

/** Whole nano-USD, rounded up once. @throws TollgateError beyond what can be added up without loss. */
export function ceilToNano(amount: ExactAmount): NanoUsd {
  return nanoUsd(Number(ceilDivide(amount, PER_NANO)));
}

export function exactNano(amountNanoUsd: number): ExactAmount {
  return BigInt(amountNanoUsd) * PER_NANO;
}

/** The amount in USD as a decimal, every digit of it. */
export function exactUsd(amount: ExactAmount): string {
  const digits = amount.toString().padStart(PLACES + 13, '0');
  const fraction = digits
    .slice(-PLACES - 12)
    .replace(/0+$/, '')
    .padEnd(2, '0');
  return `${digits.slice(0, -PLACES - 12)}.${fraction}`;
}

function ceilDivide(amount: bigint, divisor: bigint): bigint {
  return (amount + divisor - 1n) / divisor;
}
