import type { JsonValue } from '../../contracts/json.ts';

const MICRO = 1_000_000;
const LARGEST = 1_000_000_000;
const DECIMAL = /^(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?$/;

/**
 * An amount in millionths, so that a sum is exact. From a number, or a decimal in text; null for anything that is not
 * surely a non-negative amount of at most six decimals: what can't be counted is not covered by a limit.
 */
export function microAmount(value: JsonValue | undefined): number | null {
  if (typeof value === 'string') return DECIMAL.test(value) ? microAmount(Number(value)) : null;
  if (typeof value !== 'number' || !(value >= 0 && value <= LARGEST)) return null;
  const micro = Math.round(value * MICRO);
  return micro / MICRO === value ? micro : null;
}

/** The other way, for people. */
export function amountOf(micro: number): number {
  return micro / MICRO;
}
