import type { RunKey } from './ids.ts';

/** Argument of the workflow `reconcileHeld`. */
export interface ReconcileInput {
  readonly version: 1;
  /** Only this run's attempts. */
  readonly runKey?: RunKey;
  /** Only those reserved longer ago than this, in milliseconds. */
  readonly olderThanMs: number;
  /** Also those asked about lately, whose next look is not due yet: what a person who asks expects. */
  readonly all: boolean;
  /** The place that an earlier run stopped after. */
  readonly afterCursor?: number;
}

/** What was looked at, and what came of it. */
export interface ReconcileCounts {
  readonly looked: number;
  readonly settled: number;
  readonly settledNanoUsd: number;
  readonly released: number;
  /** Nobody could tell: the money stays held. */
  readonly kept: number;
  /** A sender may still be at work on them; they were not looked up. */
  readonly inFlight: number;
}

/** Answer of the workflow `reconcileHeld`. */
export interface ReconcileReport extends ReconcileCounts {
  readonly version: 1;
  /** Where to go on, where more were left than one run looks at; else null. */
  readonly nextCursor: number | null;
}

export interface ReconcileBatchInput extends Omit<ReconcileInput, 'afterCursor'> {
  /** The place after which to go on; null at the beginning. */
  readonly afterCursor: number | null;
  readonly limit: number;
  /** The moment on the store's clock that the first batch of a run began at; null in the first. */
  readonly startedAtMs: number | null;
}

export interface ReconcileBatchOutcome extends ReconcileCounts {
  /** Null where there is nothing left. */
  readonly nextCursor: number | null;
  readonly startedAtMs: number;
}
