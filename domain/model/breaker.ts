import type { OutcomeClass } from '../../contracts/model.ts';

/**
 * The circuit breaker of one model at one endpoint. `closed` counts failures; `open` lets nobody through for a while; then
 * one call at a time probes (`halfOpen`), under a lease that runs out if its worker dies.
 */
export type BreakerState =
  | { readonly status: 'closed'; readonly failures: number; readonly calls: number; readonly windowStartedAtMs: number }
  | ({ readonly status: 'open' } & Opening)
  | ({ readonly status: 'halfOpen'; readonly probeId: string; readonly probeUntilMs: number } & Opening);

interface Opening {
  readonly openedAtMs: number;
  readonly openForMs: number;
  /** The class of the failure that opened it. */
  readonly reason: OutcomeClass;
}

/** The numbers of every breaker. */
export const BREAKER_LIMITS = {
  /** Failures and calls are counted over this long. */
  windowMs: 60_000,
  /** It opens at this many failures within a window, */
  failures: 5,
  /** where they are at least this share of the calls. */
  share: 0.5,
  /** How long it stays open at first; twice as long after each probe that fails, */
  openForMs: 30_000,
  /** and never longer than this. */
  maxOpenForMs: 300_000,
} as const;

export const CLOSED: BreakerState = { status: 'closed', failures: 0, calls: 0, windowStartedAtMs: 0 };

/** Failures that speak of the endpoint, and not of the request, the key or the rate at which we ask. */
const COUNTED: readonly OutcomeClass[] = ['overloaded', 'serverError', 'timeout', 'connectionLost'];

export function countsAgainstEndpoint(outcome: OutcomeClass): boolean {
  return COUNTED.includes(outcome);
}

export type Admission =
  | { readonly type: 'admitted' }
  /** The caller may be the probe; it has to take the lease first. */
  | { readonly type: 'mayProbe' }
  | { readonly type: 'refused'; readonly retryInMs: number };

/** Whether a call may go to the endpoint at `nowMs`. */
export function admit(state: BreakerState, nowMs: number): Admission {
  switch (state.status) {
    case 'closed':
      return { type: 'admitted' };
    case 'open':
      return waitOrProbe(state.openedAtMs + state.openForMs - nowMs);
    case 'halfOpen':
      return waitOrProbe(state.probeUntilMs - nowMs);
  }
}

function waitOrProbe(leftMs: number): Admission {
  return leftMs > 0 ? { type: 'refused', retryInMs: leftMs } : { type: 'mayProbe' };
}

/** The state in which `probeId` is the one call that may go through; null where another one was quicker. */
export function beginProbe(state: BreakerState, probeId: string, leaseMs: number, nowMs: number): BreakerState | null {
  if (state.status === 'closed' || admit(state, nowMs).type !== 'mayProbe') return null;
  const { openedAtMs, openForMs, reason } = state;
  return { status: 'halfOpen', openedAtMs, openForMs, reason, probeId, probeUntilMs: nowMs + leaseMs };
}

/** A lease given back without a call: the next one may probe at once. Null where the lease is not `probeId`'s. */
export function giveProbeBack(state: BreakerState, probeId: string): BreakerState | null {
  if (!isProbe(state, probeId)) return null;
  const { openedAtMs, openForMs, reason } = state;
  return { status: 'open', openedAtMs, openForMs, reason };
}

export interface CountedFailure {
  readonly attemptId: string;
  readonly class: OutcomeClass;
  /** Calls that went well since the same process last reported a failure: they cost no write of their own. */
  readonly successes: number;
}

/** After a call failed in a way that counts. Null where nothing changes: calls that began before it opened say nothing new. */
export function afterFailure(state: BreakerState, failure: CountedFailure, nowMs: number): BreakerState | null {
  if (state.status === 'open') return null;
  if (state.status === 'halfOpen') {
    if (!isProbe(state, failure.attemptId)) return null;
    return { status: 'open', openedAtMs: nowMs, openForMs: Math.min(BREAKER_LIMITS.maxOpenForMs, state.openForMs * 2), reason: failure.class };
  }
  const isOver = nowMs - state.windowStartedAtMs >= BREAKER_LIMITS.windowMs || nowMs < state.windowStartedAtMs;
  const failures = (isOver ? 0 : state.failures) + 1;
  const calls = (isOver ? 0 : state.calls) + 1 + failure.successes;
  if (failures >= BREAKER_LIMITS.failures && failures >= calls * BREAKER_LIMITS.share)
    return { status: 'open', openedAtMs: nowMs, openForMs: BREAKER_LIMITS.openForMs, reason: failure.class };
  return { status: 'closed', failures, calls, windowStartedAtMs: isOver ? nowMs : state.windowStartedAtMs };
}

/** After the probe was answered, with a reply or with a refusal that an endpoint in order may give. Null where it was no probe. */
export function afterAnswer(state: BreakerState, attemptId: string): BreakerState | null {
  return isProbe(state, attemptId) ? CLOSED : null;
}

function isProbe(state: BreakerState, attemptId: string): state is Extract<BreakerState, { status: 'halfOpen' }> {
  return state.status === 'halfOpen' && state.probeId === attemptId;
}
