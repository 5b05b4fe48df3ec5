import type { CandidateSnapshot } from '../../contracts/task.ts';
import { admit, afterAnswer, afterFailure, beginProbe, countsAgainstEndpoint, giveProbeBack } from '../../domain/model/breaker.ts';
import type { BreakerKey } from '../../domain/model/breaker-store-port.ts';
import type { AttemptRecord, Store } from '../../domain/store/port.ts';

/** Beyond a call's own time: writing down what it came to. */
const LEASE_MARGIN_MS = 10_000;

/** Whether a candidate's endpoint may be called now. */
export type EndpointAdmission =
  | { readonly type: 'admitted' }
  /** This attempt holds the lease of the one call that may go through. */
  | { readonly type: 'probe' }
  | { readonly type: 'refused'; readonly retryInMs: number };

type Candidate = Pick<CandidateSnapshot, 'endpoint' | 'wireModel'>;

/** Asks the breaker that all workers share. One read; a write only where this attempt becomes the probe. */
export async function admitToEndpoint(store: Store, candidate: Candidate, attemptId: string, timeoutMs: number): Promise<EndpointAdmission> {
  const { state, nowMs } = await store.readBreaker(keyOf(candidate));
  const admission = admit(state, nowMs);
  if (admission.type !== 'mayProbe') return admission;
  const next = await store.changeBreaker(keyOf(candidate), (current, now) => beginProbe(current, attemptId, timeoutMs + LEASE_MARGIN_MS, now));
  if (next.status === 'closed') return { type: 'admitted' };
  if (next.status === 'halfOpen' && next.probeId === attemptId) return { type: 'probe' };
  const late = admit(next, nowMs);
  return { type: 'refused', retryInMs: late.type === 'refused' ? late.retryInMs : LEASE_MARGIN_MS };
}

/** A lease that came to no call is given back, so that the next one may probe. */
export async function giveLeaseBack(store: Store, candidate: Candidate, attemptId: string): Promise<void> {
  await store.changeBreaker(keyOf(candidate), (state) => giveProbeBack(state, attemptId));
}

/** Calls that went well since this process last reported a failure, by breaker: they ride along with the next failure. */
const successes = new WeakMap<Store, Map<string, number>>();
const MAX_COUNTED = 1_000;

/**
 * Tells the breaker what a call came to: one write for a failure that counts and for the end of a probe, none for a call that
 * went well. What was not sent (a late sender, a cancellation) says nothing of the endpoint.
 */
export async function reportToBreaker(store: Store, candidate: Candidate, sent: AttemptRecord, { isProbe }: { readonly isProbe: boolean }): Promise<void> {
  const { attemptId, outcome } = sent;
  const key = keyOf(candidate);
  if (wasNotSent(sent)) {
    if (isProbe) await giveLeaseBack(store, candidate, attemptId);
    return;
  }
  const counted = outcome?.type === 'failed' && countsAgainstEndpoint(outcome.verdict.class) ? outcome.verdict.class : null;
  if (counted !== null) {
    const failure = { attemptId, class: counted, successes: takeSuccesses(store, key) };
    await store.changeBreaker(key, (state, nowMs) => afterFailure(state, failure, nowMs));
  } else if (isProbe) await store.changeBreaker(key, (state) => afterAnswer(state, attemptId));
  else countSuccess(store, key);
}

/** After a worker died in a call: only the probe has something to tell, and only where it was answered. */
export async function reportRecovered(store: Store, candidate: Candidate, { attemptId, outcome }: AttemptRecord): Promise<void> {
  if (outcome?.type !== 'reply') return;
  const { state } = await store.readBreaker(keyOf(candidate));
  if (state.status === 'halfOpen' && state.probeId === attemptId) await store.changeBreaker(keyOf(candidate), (current) => afterAnswer(current, attemptId));
}

function wasNotSent({ money, endedAtMs, dispatchDeadlineMs }: AttemptRecord): boolean {
  return money.status === 'released' && (endedAtMs ?? 0) > dispatchDeadlineMs;
}

function keyOf({ endpoint, wireModel }: Candidate): BreakerKey {
  return { endpoint, model: wireModel };
}

function nameOf({ endpoint, model }: BreakerKey): string {
  return `${endpoint} ${model}`;
}

function countSuccess(store: Store, key: BreakerKey): void {
  const counts = successes.get(store) ?? new Map<string, number>();
  const count = counts.get(nameOf(key)) ?? 0;
  if (count < MAX_COUNTED) counts.set(nameOf(key), count + 1);
  successes.set(store, counts);
}

function takeSuccesses(store: Store, key: BreakerKey): number {
  const counts = successes.get(store);
  const count = counts?.get(nameOf(key)) ?? 0;
  counts?.delete(nameOf(key));
  return count;
}
