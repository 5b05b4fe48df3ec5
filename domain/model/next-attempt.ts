import type { CallModelOutcome } from '../../contracts/agent-run.ts';
import type { ErrorVerdict } from '../../contracts/model.ts';
import { waitForQuota } from '../quota/quota.ts';

/** Tries of one model while another candidate has not been tried yet. */
const TRIES_BEFORE_NEXT_CANDIDATE = 2;
const FIRST_WAIT_MS = 500;
const LONGEST_BACKOFF_MS = 60_000;
/** A provider that asks for a longer wait than this is left for the next candidate, if there is one. */
const PATIENCE_MS = 10_000;

/** By how much of itself a wait that a provider asked for is lengthened at most. */
const RETRY_AFTER_SPREAD = 0.1;

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
 * shorter than what the provider asked for, and a little longer, so that runs that were told the same do not come back at
 * once. `jitter` in [0, 1) spreads them.
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
  return Math.max(Math.ceil(retryAfterMs * (1 + jitter * RETRY_AFTER_SPREAD)), Math.round(backoff * (0.75 + jitter / 2)));
}

type Denied = Extract<CallModelOutcome, { type: 'budgetDenied' }>;
type Failed = Extract<CallModelOutcome, { type: 'failed' }>;

/** A step's way down its chain: where it is, and what it was told on the way. */
export interface ChainWalk extends ChainPosition {
  /** Tries and candidates passed over, in order: what an attempt is numbered by. */
  readonly asked: number;
  /** Of the denials in this pass, the one that needed least. */
  readonly denied: Denied | null;
  /** Of the candidates passed over in this pass, the one that may be there soonest. */
  readonly skipped: Failed | null;
  /** Passes that ended in a wait for a quota, and how long they waited. */
  readonly quotaPasses: number;
  readonly quotaWaitedMs: number;
}

export interface WalkLimits extends ChainLimits {
  /** How long the step may wait for quotas. */
  readonly maxQuotaWaitMs: number;
  /** How much longer the run may go on: no wait is begun that is longer. */
  readonly leftMs: number;
}

export type NextTry =
  | { readonly type: 'try'; readonly walk: ChainWalk; readonly waitMs: number }
  | { readonly type: 'giveUp'; readonly outcome: Denied | Failed };

export const CHAIN_START: ChainWalk = {
  candidateIndex: 0,
  tries: 1,
  attempts: 1,
  asked: 1,
  denied: null,
  skipped: null,
  quotaPasses: 0,
  quotaWaitedMs: 0,
};

/**
 * Decides after a candidate was denied, passed over, or failed. A lack of money anywhere in the chain counts as a lack of
 * money in the end, because more of it would help; before that, a quota that will free and an endpoint that is to be left
 * alone for a while are waited for. `jitter` is drawn at most once.
 */
export function decideNextTry(walk: ChainWalk, outcome: Denied | Failed, limits: WalkLimits, jitter: () => number): NextTry {
  if (outcome.type === 'budgetDenied') return afterDenial({ ...walk, denied: cheaper(walk.denied, outcome) }, outcome, limits, jitter);
  if (outcome.skipped) return afterSkip({ ...walk, skipped: sooner(walk.skipped, outcome) }, limits, jitter);
  const maxWaitMs = Math.min(limits.maxWaitMs, limits.leftMs);
  const next = decideNextAttempt(walk, outcome.verdict, { ...limits, maxWaitMs }, jitter());
  if (next.type === 'giveUp') return { type: 'giveUp', outcome: walk.denied ? { ...walk.denied, ledger: outcome.ledger } : outcome };
  const isSame = next.candidateIndex === walk.candidateIndex;
  return again({ ...walk, candidateIndex: next.candidateIndex, tries: isSame ? walk.tries : 0 }, next.waitMs, 1);
}

/** The chain from its beginning, in another order: what was heard on the way down no longer counts. */
export function startOver({ asked, attempts }: ChainWalk): ChainWalk {
  return { ...CHAIN_START, asked: asked + 1, attempts: Math.min(attempts, 1) };
}

function afterDenial(walk: ChainWalk, denial: Denied, limits: WalkLimits, jitter: () => number): NextTry {
  // Denials of older workers count as tries: so they did when the histories that have them were written.
  const counts = denial.neededTokens === undefined;
  const hasNext = walk.candidateIndex + 1 < limits.candidates && !(counts && walk.attempts >= limits.maxAttempts);
  if (hasNext) return again({ ...walk, candidateIndex: walk.candidateIndex + 1, tries: 0 }, 0, counts ? 1 : 0);
  return counts ? { type: 'giveUp', outcome: walk.denied ?? denial } : endOfPass(walk, denial, limits, jitter);
}

function afterSkip(walk: ChainWalk, limits: WalkLimits, jitter: () => number): NextTry {
  if (walk.candidateIndex + 1 < limits.candidates) return again({ ...walk, candidateIndex: walk.candidateIndex + 1, tries: 0 }, 0, 0);
  return endOfPass(walk, walk.skipped, limits, jitter);
}

/** No candidate is left to ask. What time may cure is waited for, and the chain is gone down again. */
function endOfPass(walk: ChainWalk, last: Denied | Failed | null, limits: WalkLimits, jitter: () => number): NextTry {
  const { denied, skipped } = walk;
  const spread = jitter();
  const fresh: ChainWalk = { ...walk, candidateIndex: 0, tries: 0, denied: null, skipped: null };
  const forEndpoint = skipped?.verdict.retryAfterMs;
  const endpointWaitMs = forEndpoint === undefined ? null : Math.ceil(forEndpoint * (1 + spread * RETRY_AFTER_SPREAD));
  if (endpointWaitMs !== null && endpointWaitMs <= Math.min(limits.maxWaitMs, limits.leftMs) && walk.attempts < limits.maxAttempts)
    return again(fresh, endpointWaitMs, 1);
  const left = Math.min(limits.maxQuotaWaitMs - walk.quotaWaitedMs, limits.leftMs);
  const quotaWaitMs = denied?.quota ? waitForQuota(denied.quota, walk.quotaPasses + 1, left, spread) : null;
  if (quotaWaitMs !== null) return again({ ...fresh, quotaPasses: walk.quotaPasses + 1, quotaWaitedMs: walk.quotaWaitedMs + quotaWaitMs }, quotaWaitMs, 0);
  return { type: 'giveUp', outcome: denied ?? skipped ?? (last as Denied | Failed) };
}

function again(walk: ChainWalk, waitMs: number, counted: 0 | 1): NextTry {
  return { type: 'try', waitMs, walk: { ...walk, tries: walk.tries + 1, attempts: walk.attempts + counted, asked: walk.asked + 1 } };
}

function cheaper(one: Denied | null, other: Denied): Denied {
  return one && one.neededNanoUsd <= other.neededNanoUsd ? one : other;
}

function sooner(one: Failed | null, other: Failed): Failed {
  const waitOf = ({ verdict }: Failed) => verdict.retryAfterMs ?? Number.POSITIVE_INFINITY;
  return one && waitOf(one) <= waitOf(other) ? one : other;
}
