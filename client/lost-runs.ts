import type { Client } from '@temporalio/client';
import { decodeArrayFromPayloads } from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { AgentRunId, ApprovalId, AttemptId, RunKey } from '../contracts/ids.ts';
import { RECONCILE_WORKFLOW } from '../contracts/temporal.ts';
import type { Store } from '../domain/store/port.ts';
import { callKeyOf } from '../domain/tool/tool-call.ts';

const MAX_RUNS = 1_000;
const MAX_HISTORIES = 100;
/** A run younger than this may not have reached the store yet. */
const MIN_AGE_MS = 10_000;

export interface LostRun {
  readonly agentRunId: string;
  /** What history names and the store lacks. */
  readonly lacks: string;
}

export interface LostRuns {
  /** Open runs that were compared. */
  readonly looked: number;
  readonly lost: readonly LostRun[];
  /** Whether there were more than one look takes. */
  readonly isPartial: boolean;
}

/**
 * Open runs whose history names what the store lacks: it was lost, or restored from an older backup. Such a run sends nothing
 * and stops in doubt at its next step; this finds it before. Histories are read only of runs that may be among them.
 */
export async function findLostRuns(client: Client, store: Store, taskQueue: string, minAgeMs = MIN_AGE_MS): Promise<LostRuns> {
  const restoredAtMs = await store.lastRestoredAtMs();
  const lost: LostRun[] = [];
  let looked = 0;
  let histories = 0;
  const query = `TaskQueue = "${taskQueue}" AND ExecutionStatus = "Running" AND WorkflowType != "${RECONCILE_WORKFLOW}"`;
  for await (const { workflowId, runId, startTime, raw } of client.workflow.list({ query })) {
    if (looked >= MAX_RUNS || histories >= MAX_HISTORIES) return { looked, lost, isPartial: true };
    if (Date.now() - startTime.getTime() < minAgeMs) continue;
    looked += 1;
    const runKey: RunKey = { agentRunId: workflowId as AgentRunId, firstExecutionRunId: raw.firstRunId || runId };
    const isKnown = (await store.getRun(runKey)) !== null;
    if (isKnown && (restoredAtMs === null || startTime.getTime() > restoredAtMs)) continue;
    histories += 1;
    const lacks = await missingIn(client, store, runKey, runId, isKnown);
    if (lacks) lost.push({ agentRunId: workflowId, lacks });
  }
  return { looked, lost, isPartial: false };
}

interface CallInput {
  readonly attemptId?: AttemptId;
  readonly callIndex?: number;
  readonly approvalId?: ApprovalId;
}

interface CallResult {
  readonly type?: string;
  readonly attemptId?: AttemptId;
  readonly isError?: boolean;
}

interface Call {
  readonly type: string;
  readonly input: CallInput;
}

/** The first thing that a completed activity of the execution wrote and the store lacks; null where nothing is missing. */
async function missingIn(client: Client, store: Store, runKey: RunKey, runId: string, isKnown: boolean): Promise<string | null> {
  const { events } = await client.workflow.getHandle(runKey.agentRunId, runId).fetchHistory();
  const scheduled = new Map<string, Call>();
  for (const event of events ?? []) {
    const { activityTaskScheduledEventAttributes: start, activityTaskCompletedEventAttributes: end } = event;
    if (start) {
      const [input] = await decodeArrayFromPayloads(client.options.loadedDataConverter, start.input?.payloads);
      scheduled.set(String(event.eventId), { type: start.activityType?.name ?? '', input: (input ?? {}) as CallInput });
    }
    const done = end ? scheduled.get(String(end.scheduledEventId)) : undefined;
    if (!done) continue;
    // A run that has not been pinned yet has nothing in the store that it could lack.
    if (!isKnown && done.type === 'pinTask') return 'the run itself';
    if (!isKnown) continue;
    const [result] = await decodeArrayFromPayloads(client.options.loadedDataConverter, end?.result?.payloads);
    const lacks = await missing(store, runKey, done, (result ?? {}) as CallResult);
    if (lacks) return lacks;
  }
  return null;
}

async function missing(
  store: Store,
  runKey: RunKey,
  { type, input }: Call,
  { type: outcome, attemptId: replied, isError }: CallResult,
): Promise<string | null> {
  const { attemptId, callIndex, approvalId } = input;
  // Not every call leaves a row of its own: one that was denied its money does not, nor one that found an earlier reply.
  if (type === 'callModel' && outcome === 'reply' && replied) return (await store.getAttempt(runKey, replied)) ? null : `attempt ${replied}`;
  if (type === 'executeTool' && outcome === 'done' && isError === false && attemptId && callIndex !== undefined) {
    const callKey = callKeyOf(attemptId, callIndex, approvalId);
    return (await store.getToolCall(runKey, callKey)) ? null : `tool call ${callKey}`;
  }
  if (type === 'openGate' && approvalId) return (await store.getGate(runKey, approvalId)) ? null : `gate ${approvalId}`;
  return null;
}
