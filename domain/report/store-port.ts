import type { TokenUsage } from '../../contracts/model.ts';

/** What a report is broken down by. `promptVersion` is the name and the first digits of the digest of a run's pinned prompt. */
export type ReportDimension = 'task' | 'feature' | 'tenant' | 'model' | 'promptVersion' | 'day';
export const REPORT_DIMENSIONS: readonly ReportDimension[] = ['task', 'feature', 'tenant', 'model', 'promptVersion', 'day'];

export interface UsageFilter {
  /** `total`: one group with the empty key. */
  readonly by: ReportDimension | 'total';
  /** Attempts that were reserved, runs that were started and feedback that was given from this moment on… */
  readonly fromMs: number;
  /** …and before this one. */
  readonly toMs: number;
  readonly tenant?: string;
  /** At most this many groups, in the order of their keys' bytes. */
  readonly limit: number;
}

/** Sums of nano-USD over many runs go beyond what a number holds exactly. */
export interface UsageMoney {
  readonly settledNanoUsd: bigint;
  readonly heldNanoUsd: bigint;
  readonly writtenOffNanoUsd: bigint;
  readonly overrunNanoUsd: bigint;
  /** What was reserved for the attempts that were then charged. */
  readonly estimatedNanoUsd: bigint;
}

export type ReportedTokens = Pick<TokenUsage, 'inputTokens' | 'cachedInputTokens' | 'cacheWriteTokens' | 'outputTokens' | 'reasoningTokens'>;

export interface Percentiles {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface AttemptUsage {
  readonly attempts: number;
  /** Attempts with a usable reply. */
  readonly replies: number;
  /** Replies of a step that an earlier candidate of the chain was tried or passed over for. */
  readonly fallbacks: number;
  /** Of which nothing is known yet. */
  readonly inFlight: number;
  readonly money: UsageMoney;
  readonly tokens: ReportedTokens;
  /** From the reservation of an attempt to its reply; null where there is no reply. By nearest rank. */
  readonly latency: Percentiles | null;
}

export interface RunUsage {
  readonly runs: number;
  /** Runs that have ended, by how. */
  readonly ended: { readonly [Status in 'completed' | 'budgetExhausted' | 'denied' | 'expired' | 'cancelled' | 'failed']: number };
  /** What the runs might cost at most. Runs that draw on another run's budget add nothing. */
  readonly limitNanoUsd: bigint;
}

/** Gates of the runs that were started in the time of the report. */
export interface GateUsage {
  readonly gates: number;
  readonly open: number;
  readonly approved: number;
  readonly denied: number;
  readonly expired: number;
  /** From opening to the decision; null where none was decided. */
  readonly wait: Percentiles | null;
}

export interface FeedbackUsage {
  readonly count: number;
  /** Null where there is none. */
  readonly meanScore: number | null;
}

export interface UsageGroup {
  readonly key: string;
  readonly attempts: AttemptUsage;
  /** Null where the report is by model: a run has several. */
  readonly runs: RunUsage | null;
  readonly gates: GateUsage | null;
  readonly feedback: FeedbackUsage | null;
}

export interface UsageReport {
  readonly groups: readonly UsageGroup[];
  /** Whether there are more groups than were asked for. */
  readonly isMore: boolean;
}

/** Gates of one kind that wait for a person now. */
export interface WaitingGates {
  readonly kind: string;
  readonly count: number;
  readonly oldestCreatedAtMs: number;
  readonly nextExpiresAtMs: number;
}

/** What goes on at this moment, over all runs. */
export interface StorePulse {
  readonly nowMs: number;
  /** Runs that have not ended; those that wait for a person are among them. */
  readonly openRuns: number;
  readonly waitingRuns: number;
  readonly waitingGates: readonly WaitingGates[];
}

/** What was used, over all runs, added up inside the store. */
export interface ReportStore {
  reportUsage(filter: UsageFilter): Promise<UsageReport>;
  /** Looks at what is open only, so it may be asked often. */
  readPulse(): Promise<StorePulse>;
}
