import type { ErrorVerdict } from '../../contracts/model.ts';

/** Tries of one model while another candidate has not been tried yet. */
const TRIES_BEFORE_NEXT_CANDIDATE = 2;
const FIRST_WAIT_MS = 500;
const LONGEST_BACKOFF_MS = 60_000;
/** A provider that asks for a longer wait than this is left for the next candidate, if there is one. */
const PATIENCE_MS = 10_000;

/** How far a step has come in its fallback chain. */
export interface ChainPosition {
  readonly candidateIndex: number;
  /** Tries of this candidate so far. */
  readonly tries: number;
  /** Tries of all candidates so far. */
  readonly attempts: number;
}

export interface ChainLimits {
  readonly candidates: number;
  readonly maxAttempts: number;
  /** Longest single wait, in milliseconds. */
  readonly maxWaitMs: number;
}

export type NextAttempt = { readonly type: 'try'; readonly candidateIndex: number; readonly waitMs: number } | { readonly type: 'giveUp' };

/**
 * Decides after a failed try: the same model again after a wait, the next candidate at once, or neither. A wait is never
 * shorter than what the provider asked for. `jitter` in [0, 1) spreads runs that failed together.
 */
export function decideNextAttempt(position: ChainPosition, verdict: ErrorVerdict, limits: ChainLimits, jitter: number): NextAttempt {
  if (position.attempts >= limits.maxAttempts) return { type: 'giveUp' };
  const hasNext = verdict.nextCandidate && position.candidateIndex + 1 < limits.candidates;
  const next: NextAttempt = { type: 'try', candidateIndex: position.candidateIndex + 1, waitMs: 0 };
  const waitMs = waitBeforeTry(position.tries, verdict.retryAfterMs ?? 0, jitter);
  const isWorthRetrying = verdict.retrySameModel && waitMs <= limits.maxWaitMs;
  if (hasNext && (!isWorthRetrying || position.tries >= TRIES_BEFORE_NEXT_CANDIDATE || waitMs > PATIENCE_MS)) return next;
  if (isWorthRetrying) return { type: 'try', candidateIndex: position.candidateIndex, waitMs };
  return { type: 'giveUp' };
}

function waitBeforeTry(tries: number, retryAfterMs: number, jitter: number): number {
  const backoff = Math.min(LONGEST_BACKOFF_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
  return Math.max(retryAfterMs, Math.round(backoff * (0.75 + jitter / 2)));
}
