import type { CandidateSnapshot, TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { RunRecord, Store } from '../../domain/store/port.ts';
import { textDigest } from '../digest.ts';

const MAX_SNAPSHOTS = 100;
const MAX_RUNS = 2_000;
const snapshots = new Map<string, TaskSnapshot>();
const runs = new WeakMap<Store, Map<string, RunFacts>>();

/** The pinned task behind a digest; the same digest is read once per process. @throws TollgateError `snapshotMissing`. */
export async function loadSnapshot(store: Store, digest: string): Promise<TaskSnapshot> {
  const cached = snapshots.get(digest);
  if (cached) return cached;
  const text = await store.getContent(digest as ContentDigest);
  if (text === null)
    throw new TollgateError(
      'snapshotMissing',
      `The pinned task ${digest} is not in the store. Was the store replaced? Restore it from a backup, or cancel the run.`,
    );
  // Whoever can write into the store could otherwise lower an effect or a quorum under a running run.
  if (textDigest(text) !== digest)
    throw new TollgateError(
      'snapshotMissing',
      `The pinned task ${digest} is not what was stored under that digest. Somebody changed the store. Nothing was sent.`,
    );
  const snapshot = JSON.parse(text) as TaskSnapshot;
  keep(snapshots, digest, snapshot, MAX_SNAPSHOTS);
  return snapshot;
}

/** Keeps at most `limit` entries; the oldest goes. */
function keep<T>(cache: Map<string, T>, key: string, value: T, limit: number): void {
  const oldest = cache.keys().next();
  if (cache.size >= limit && !oldest.done) cache.delete(oldest.value);
  cache.set(key, value);
}

/** What never changes about a run. */
export type RunFacts = Pick<RunRecord, 'runKey' | 'task' | 'requester' | 'snapshotDigest' | 'tenant' | 'feature' | 'traceparent' | 'parentRunKeys'>;

/**
 * What never changes about a run, read once per process. Whether the store still has the run is found out by the
 * transaction that writes. @throws TollgateError `journalMissing`.
 */
export async function loadRunFacts(store: Store, runKey: RunKey): Promise<RunFacts> {
  const key = `${runKey.agentRunId}/${runKey.firstExecutionRunId}`;
  const known = runs.get(store) ?? new Map<string, RunFacts>();
  runs.set(store, known);
  const cached = known.get(key);
  if (cached) return cached;
  const { task, requester, snapshotDigest, tenant, feature, traceparent, parentRunKeys } = await loadRun(store, runKey);
  const facts = { runKey, task, requester, snapshotDigest, tenant, feature, parentRunKeys, ...(traceparent === undefined ? {} : { traceparent }) };
  keep(known, key, facts, MAX_RUNS);
  return facts;
}

/** The run's row. @throws TollgateError `journalMissing` where history knows the run and the store does not. */
export async function loadRun(store: Store, runKey: RunKey): Promise<RunRecord> {
  const run = await store.getRun(runKey);
  if (run) return run;
  throw new TollgateError(
    'journalMissing',
    `The store does not know run ${runKey.agentRunId} (first execution ${runKey.firstExecutionRunId}). Nothing was sent. Was the store lost or replaced? Restore it, or cancel the run.`,
  );
}

/** The prompt by its name and content, for people and dashboards. */
export function promptVersionOf({ task, promptDigest }: TaskSnapshot): string {
  return `${task.promptName ?? task.name}@${promptDigest.slice(0, 12)}`;
}

export function candidateAt(snapshot: TaskSnapshot, index: number): CandidateSnapshot {
  const candidate = snapshot.candidates[index];
  if (!candidate) throw new TollgateError('invariantBroken', `The task has ${snapshot.candidates.length} models, and the run asked for number ${index + 1}.`);
  return candidate;
}

export function toolOf(snapshot: TaskSnapshot, name: string): ToolDefinition | null {
  return snapshot.task.tools.find((tool) => tool.name === name) ?? null;
}

/** A model's name for people. One that is only simulated is never shown as the real one. */
export function labelOf(candidate: CandidateSnapshot): string {
  return candidate.provider === 'simulated' ? `${candidate.model} (simulated)` : candidate.model;
}
