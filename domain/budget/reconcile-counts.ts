import type { ReconcileCounts } from '../../contracts/reconcile.ts';

export const NO_COUNTS: ReconcileCounts = { looked: 0, settled: 0, settledNanoUsd: 0, released: 0, kept: 0, inFlight: 0 };

/** Both together. */
export function addCounts(one: ReconcileCounts, other: ReconcileCounts): ReconcileCounts {
  return {
    looked: one.looked + other.looked,
    settled: one.settled + other.settled,
    settledNanoUsd: one.settledNanoUsd + other.settledNanoUsd,
    released: one.released + other.released,
    kept: one.kept + other.kept,
    inFlight: one.inFlight + other.inFlight,
  };
}
