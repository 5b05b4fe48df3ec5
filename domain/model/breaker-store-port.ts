import type { BreakerState } from './breaker.ts';

/** A breaker is per model and endpoint: one model of a gateway may fail while the others answer. */
export interface BreakerKey {
  readonly endpoint: string;
  /** The name on the wire. */
  readonly model: string;
}

export interface BreakerRecord extends BreakerKey {
  readonly state: BreakerState;
  readonly changedAtMs: number;
}

/** Breakers, shared by every worker of the store. */
export interface BreakerStore {
  /** The state and the store's time at which it was read. One that nobody wrote is closed. */
  readBreaker(key: BreakerKey): Promise<{ readonly state: BreakerState; readonly nowMs: number }>;
  /** Runs `rule` on the locked state at the store's time and writes what it answers, if anything. Answers the state that then holds. */
  changeBreaker(key: BreakerKey, rule: (state: BreakerState, nowMs: number) => BreakerState | null): Promise<BreakerState>;
  /** Those that were ever written, by endpoint and model. */
  listBreakers(): Promise<readonly BreakerRecord[]>;
}
