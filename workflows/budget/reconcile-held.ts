import type { ReconcileCounts, ReconcileInput, ReconcileReport } from '../../contracts/reconcile.ts';
import { addCounts, NO_COUNTS } from '../../domain/budget/reconcile-counts.ts';
import { asking } from '../activity-options.ts';

const BATCH = 20;
/** Batches of one run: what is left is looked at by the next one, which asks about what is due. */
const MAX_BATCHES = 25;

/**
 * Looks at attempts whose money is held, one activity per batch, and settles what their providers have a record of. Started
 * by a schedule and by people.
 */
export async function reconcileHeld(input: ReconcileInput): Promise<ReconcileReport> {
  let counts: ReconcileCounts = NO_COUNTS;
  let place: { readonly afterCursor: number | null; readonly startedAtMs: number | null } = { afterCursor: input.afterCursor ?? null, startedAtMs: null };
  for (let batch = 1; batch <= MAX_BATCHES; batch += 1) {
    const { nextCursor, startedAtMs, ...done } = await asking.reconcileBatch({ ...input, ...place, limit: BATCH });
    counts = addCounts(counts, done);
    if (nextCursor === null) return { version: 1, ...counts, nextCursor: null };
    place = { afterCursor: nextCursor, startedAtMs };
  }
  return { version: 1, ...counts, nextCursor: place.afterCursor };
}
