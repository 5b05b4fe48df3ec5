import type { CandidateSnapshot, TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { ContentDigest, RunKey } from '../../contracts/ids.ts';
import type { RunRecord, Store } from '../../domain/store/port.ts';

const MAX_CACHED = 100;
const cache = new Map<string, TaskSnapshot>();

/** The pinned task behind a digest; the same digest is read once per process. @throws TollgateError `snapshotMissing`. */
export async function loadSnapshot(store: Store, digest: string): Promise<TaskSnapshot> {
  const cached = cache.get(digest);
  if (cached) return cached;
  const text = await store.getContent(digest as ContentDigest);
  if (text === null)
    throw new TollgateError(
      'snapshotMissing',
      `The pinned task ${digest} is not in the store. Was the store replaced? Restore it from a backup, or cancel the run.`,
    );
  const snapshot = JSON.parse(text) as TaskSnapshot;
  const oldest = cache.keys().next();
  if (cache.size >= MAX_CACHED && !oldest.done) cache.delete(oldest.value);
  cache.set(digest, snapshot);
  return snapshot;
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
