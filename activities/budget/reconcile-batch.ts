import { Context } from '@temporalio/activity';
import type { ReconcileBatchInput, ReconcileBatchOutcome, ReconcileCounts } from '../../contracts/reconcile.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import { decideHeld, type HeldDecision, isInFlight, nextLookMs, referenceOf } from '../../domain/budget/held.ts';
import type { HeldAttempt } from '../../domain/budget/held-store-port.ts';
import { addCounts, NO_COUNTS } from '../../domain/budget/reconcile-counts.ts';
import { loadSnapshot } from '../agent-run/snapshot.ts';
import type { ActivityPorts } from '../ports.ts';

/** How long one record may take to be looked up. */
const LOOKUP_TIMEOUT_MS = 10_000;
/** Providers are asked about this many attempts at once. */
const AT_ONCE = 4;

/**
 * Asks what became of a batch of attempts whose money is held, and moves what is certain. Settles and releases by attempt id,
 * so that whoever else is told of the same attempt, before or after, changes nothing twice.
 */
export async function reconcileBatch(ports: ActivityPorts, input: ReconcileBatchInput): Promise<ReconcileBatchOutcome> {
  const { store } = ports;
  const startedAtMs = input.startedAtMs ?? (await store.nowMs());
  const held = await store.listHeld({
    ...(input.runKey ? { runKey: input.runKey } : {}),
    reservedBeforeMs: startedAtMs - input.olderThanMs,
    ...(input.all ? {} : { dueAtMs: startedAtMs }),
    ...(input.afterCursor === null ? {} : { afterCursor: input.afterCursor }),
    limit: input.limit,
  });
  let counts = NO_COUNTS;
  for (let start = 0; start < held.length; start += AT_ONCE) {
    const looked = await Promise.all(held.slice(start, start + AT_ONCE).map((each) => reconcile(ports, each)));
    counts = looked.reduce(addCounts, counts);
    Context.current().heartbeat();
  }
  return { ...counts, nextCursor: held.length < input.limit ? null : (held.at(-1)?.cursor ?? null), startedAtMs };
}

async function reconcile(ports: ActivityPorts, held: HeldAttempt): Promise<ReconcileCounts> {
  const { store } = ports;
  const { attempt, snapshotDigest } = held;
  const { runKey, attemptId } = attempt;
  const snapshot = await loadSnapshot(store, snapshotDigest).catch(() => null);
  if (snapshot && isInFlight(held, snapshot.task.limits.modelTimeoutMs, await store.nowMs())) return { ...NO_COUNTS, inFlight: 1 };
  const decision = await decide(ports, held, snapshot);
  if (decision.type === 'keep') {
    await store.noteLookup(runKey, attemptId, decision.because, nextLookMs);
    return { ...NO_COUNTS, looked: 1, kept: 1 };
  }
  const { event, usage, because } = decision;
  const { money } = await store.moveMoney(runKey, attemptId, event, { actor: 'tollgate', reason: because, ...(usage ? { usage } : {}) });
  if (money.status === 'released') return { ...NO_COUNTS, looked: 1, released: 1 };
  // Whoever came first, a late reply or a person: what then holds is what is told.
  return money.status === 'settled' ? { ...NO_COUNTS, looked: 1, settled: 1, settledNanoUsd: money.settledNanoUsd ?? 0 } : { ...NO_COUNTS, looked: 1 };
}

async function decide({ store, catalogue }: ActivityPorts, { attempt }: HeldAttempt, snapshot: TaskSnapshot | null): Promise<HeldDecision> {
  if (!snapshot) return { type: 'keep', because: 'the pinned task of the run is not in the store, and with it the price' };
  const candidate = snapshot.candidates.find(({ model, endpoint }) => model === attempt.model && endpoint === attempt.endpoint);
  if (!candidate) return { type: 'keep', because: `the pinned task has no model "${attempt.model}" at "${attempt.endpoint}", and with it no price` };
  const endpoint = catalogue.endpoint(attempt.endpoint);
  if (!endpoint) return { type: 'keep', because: `the worker's configuration has no endpoint "${attempt.endpoint}", or not its key` };
  if (!endpoint.lookup) return { type: 'keep', because: `the endpoint "${attempt.endpoint}" keeps no records that can be asked for` };
  const answer = await endpoint.lookup.lookUp(referenceOf(attempt), { signal: AbortSignal.timeout(LOOKUP_TIMEOUT_MS) });
  return decideHeld(attempt, candidate.price, answer, await store.nowMs());
}
