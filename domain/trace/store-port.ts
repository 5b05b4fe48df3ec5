import type { RunKey } from '../../contracts/ids.ts';
import type { AttemptMoneyStatus, NanoUsd } from '../../contracts/budget.ts';
import type { TokenUsage } from '../../contracts/model.ts';

/**
 * What has ended in the journal: a span can be written of it. `settlement`: money of an attempt that had ended moved later.
 * `feedback` was given, of a run that has ended.
 */
export type EndedKind = 'run' | 'attempt' | 'settlement' | 'tool' | 'gate' | 'feedback';

/** A row of the outbox: written in the transaction in which it ended, kept until its sink has taken it. */
export interface Ended {
  readonly id: number;
  readonly runKey: RunKey;
  readonly kind: EndedKind;
  /** The attempt, the tool call's key, the gate or the feedback's id; empty for a run. */
  readonly ref: string;
  readonly atMs: number;
  /** Of an attempt, as it was at that moment, so that its span is the same however late it is written. */
  readonly money: { readonly status: AttemptMoneyStatus; readonly settledNanoUsd: NanoUsd | null; readonly usage: TokenUsage | null } | null;
}

/** What a trace knows of one step beside its own rows. */
export interface StepTimes {
  readonly attempts: readonly { readonly attemptId: string; readonly model: string; readonly reservedAtMs: number; readonly endedAtMs: number | null }[];
  /** When its last tool call ended; null where it has none that did. */
  readonly toolsEndedAtMs: number | null;
}

export interface SinkState {
  readonly sink: string;
  readonly pending: number;
  /** When the oldest of that came; null where nothing waits. */
  readonly oldestAtMs: number | null;
  readonly exported: number;
  /** Spans, or feedback, that the sink refused for good, or that had to make room. */
  readonly dropped: number;
}

export type SinkTakes = 'spans' | 'feedback';

export interface SinkClaim {
  readonly holder: string;
  readonly leaseMs: number;
  readonly limit: number;
  readonly behind?: string;
}

/** What has ended and is yet to be exported, for each sink by itself. Delivery is at least once. */
export interface TraceStore {
  /**
   * From now on, what ends (or feedback, where they take that) is kept for these sinks too. Called again now and then: a sink
   * that nobody has named for `forgetAfterMs` is forgotten.
   */
  registerSinks(names: readonly string[], forgetAfterMs: number, takes?: SinkTakes): Promise<void>;
  /**
   * The oldest rows for a sink; nothing where another holder exports to it just now. One that died loses its lease after
   * `leaseMs`. With `behind`: only what came before everything that still waits for that sink.
   */
  claimEnded(sink: string, claim: SinkClaim): Promise<readonly Ended[]>;
  /** Takes rows that were delivered, or dropped for good, out; `spans` are counted. */
  settleEnded(sink: string, ids: readonly number[], counts: { readonly exported: number; readonly dropped: number }): Promise<void>;
  /** Drops the oldest rows beyond the newest `keep`, and says how many. */
  trimEnded(sink: string, keep: number): Promise<number>;
  stepTimes(runKey: RunKey, step: number): Promise<StepTimes>;
  listSinks(): Promise<readonly SinkState[]>;
}
