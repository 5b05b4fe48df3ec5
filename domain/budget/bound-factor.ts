import { invariant } from '../../contracts/failures.ts';
import type { NanoUsd } from '../../contracts/budget.ts';

/** A bound as it was computed, in thousandths. */
export const PLAIN_PER_MILLE = 1_000;
/** A thousandfold: what a provider reports beyond that is no count of tokens, and would shut a model out for good. */
const MOST_PER_MILLE = 1_000_000;

/** The bound with what overruns have taught. Never above a safe integer, which fits into no budget. */
export function raisedBound(boundNanoUsd: NanoUsd, perMille: number): NanoUsd {
  invariant(Number.isSafeInteger(perMille) && perMille >= PLAIN_PER_MILLE, `a bound's factor is at least ${PLAIN_PER_MILLE} thousandths, not ${perMille}`);
  const raised = (BigInt(boundNanoUsd) * BigInt(perMille) + 999n) / 1_000n;
  return Number(raised > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : raised) as NanoUsd;
}

/**
 * The factor under which a reservation would have covered the charge, or null where it did. `perMille` is the factor that the
 * reservation was made with: what several attempts reserved under one factor teach is the same once, not multiplied.
 */
export function factorLearnt(perMille: number, reservedNanoUsd: number, settledNanoUsd: number): number | null {
  if (settledNanoUsd <= reservedNanoUsd || reservedNanoUsd <= 0) return null;
  // A raised bound was rounded up: what it came from may be a little smaller.
  const covered = BigInt(perMille === PLAIN_PER_MILLE ? reservedNanoUsd : Math.max(1, reservedNanoUsd - 1));
  const needed = (BigInt(perMille) * BigInt(settledNanoUsd) + covered - 1n) / covered;
  return Number(needed > BigInt(MOST_PER_MILLE) ? BigInt(MOST_PER_MILLE) : needed);
}
