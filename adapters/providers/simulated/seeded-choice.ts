import { createHash } from 'node:crypto';

/** Hexadecimal SHA-256 over the parts, in an encoding that no two different lists share. */
export function digestOf(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

/** A number in [0, 1) that depends on the parts alone: the same request in the same campaign always meets the same fate. */
export function fractionOf(...parts: readonly (string | number)[]): number {
  return Number.parseInt(digestOf(...parts).slice(0, 12), 16) / 2 ** 48;
}
