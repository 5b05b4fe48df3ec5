import type { ApprovalId, AttemptId, RunKey } from '../../../contracts/ids.ts';
import { invariant } from '../../../contracts/failures.ts';
import type { TaskSnapshot } from '../../../contracts/task.ts';
import type { AttemptRecord, Store } from '../../../domain/store/port.ts';
import type { Ended } from '../../../domain/trace/store-port.ts';
import type { Span } from '../../../telemetry/span.ts';
import { attemptSpan, settlementSpan } from './attempt-span.ts';
import { attemptContent, runContent, toolContent } from './content.ts';
import { gateSpan, runSpan, stepSpan, toolSpan } from './other-spans.ts';
import { readingOnce, type SpanReads } from './reading-once.ts';
import type { RunView } from './run-view.ts';

const MAX_GATES = 1_000;
const MAX_SNAPSHOTS = 50;

/** The spans of what has ended. The same row gives the same spans, whoever asks and whenever. */
export type SpansOf = (ended: Ended) => Promise<readonly Span[]>;

export interface SpanSource {
  /** For the rows of one batch, which are of few runs and steps: whatever several of them are made of is read once. */
  forBatch(): SpansOf;
}

export function createSpanSource(store: Store, withContent: boolean): SpanSource {
  const snapshots = new Map<string, TaskSnapshot | null>();
  const snapshotOf = async (digest: RunViewDigest): Promise<TaskSnapshot | null> => {
    const known = snapshots.get(digest);
    if (known !== undefined) return known;
    const text = await store.getContent(digest);
    const snapshot = text === null ? null : (JSON.parse(text) as TaskSnapshot);
    if (snapshots.size >= MAX_SNAPSHOTS) snapshots.clear();
    snapshots.set(digest, snapshot);
    return snapshot;
  };
  return {
    forBatch: () => {
      const reads = readingOnce(store);
      return async (ended) => {
        const run = await reads.getRun(ended.runKey);
        invariant(run, `run ${ended.runKey.agentRunId} of the outbox is in the store`);
        return await spansOf(reads, { run, snapshot: await snapshotOf(run.snapshotDigest), withContent }, ended);
      };
    },
  };
}

type RunViewDigest = RunView['run']['snapshotDigest'];

async function spansOf(store: SpanReads, view: RunView, ended: Ended): Promise<readonly Span[]> {
  const { runKey, ref, atMs } = ended;
  switch (ended.kind) {
    case 'attempt':
      return await spansOfAttempt(store, view, await attemptOf(store, runKey, ref), ended);
    case 'settlement':
      return [settlementSpan(view, await attemptOf(store, runKey, ref), ended)];
    case 'tool': {
      const call = await store.getToolCall(runKey, ref);
      invariant(call, `tool call ${ref} of the outbox is in the store`);
      const attempt = await store.getAttempt(runKey, call.attemptId);
      return [toolSpan(view, call, { step: attempt?.step ?? null, endMs: atMs }, toolContent(view, call, attempt))];
    }
    case 'gate': {
      const gate = await store.getGate(runKey, ref as ApprovalId);
      invariant(gate, `gate ${ref} of the outbox is in the store`);
      const attempt = gate.attemptId ? await store.getAttempt(runKey, gate.attemptId) : null;
      return [gateSpan(view, gate, { step: attempt?.step ?? null, endMs: atMs })];
    }
    case 'run':
      return await spansOfEnd(store, view, atMs);
    case 'feedback':
      // Is sent by itself: adapters/sinks/feedback.ts.
      return [];
  }
}

/** An attempt; the first one of a step ends the step before it. */
async function spansOfAttempt(store: SpanReads, view: RunView, attempt: AttemptRecord, ended: Pick<Ended, 'atMs' | 'money'>): Promise<readonly Span[]> {
  const { runKey, step, attemptId } = attempt;
  const times = await store.stepTimes(runKey, step);
  const own = attemptSpan(view, attempt, times, ended, await attemptContent(store, view, attempt));
  if (step <= 1 || times.attempts[0]?.attemptId !== attemptId) return [own];
  const before = await spanOfStep(store, view, step - 1);
  return before ? [before, own] : [own];
}

async function spanOfStep(store: SpanReads, view: RunView, step: number): Promise<Span | null> {
  const { runKey } = view.run;
  const [times, skips, gates] = await Promise.all([store.stepTimes(runKey, step), store.listSkips(runKey), store.listGates({ runKey, limit: MAX_GATES })]);
  return stepSpan(view, { step, times, skips, gates });
}

/** The run, its last step, and what was under way when it ended: nobody may come to finish that. */
async function spansOfEnd(store: SpanReads, view: RunView, atMs: number): Promise<readonly Span[]> {
  const { runKey } = view.run;
  const [ledger, attempts, calls] = await Promise.all([store.getLedger(runKey), store.listAttempts(runKey), store.listToolCalls(runKey)]);
  const spans = [runSpan(view, atMs, ledger, await runContent(store, view))];
  const last = attempts.reduce((most, { step }) => Math.max(most, step), 0);
  const step = last > 0 ? await spanOfStep(store, view, last) : null;
  if (step) spans.push(step);
  for (const attempt of attempts)
    if (!attempt.outcome) spans.push(...(await spansOfAttempt(store, view, attempt, { atMs, money: { ...attempt.money, usage: attempt.usage } })));
  for (const call of calls) {
    if (call.status === 'done' || call.status === 'failed') continue;
    const attempt = attempts.find(({ attemptId }) => attemptId === call.attemptId) ?? null;
    spans.push(toolSpan(view, call, { step: attempt?.step ?? null, endMs: call.endedAtMs ?? atMs }, toolContent(view, call, attempt)));
  }
  return spans;
}

async function attemptOf(store: SpanReads, runKey: RunKey, attemptId: string): Promise<AttemptRecord> {
  const attempt = await store.getAttempt(runKey, attemptId as AttemptId);
  invariant(attempt, `attempt ${attemptId} of the outbox is in the store`);
  return attempt;
}
