import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RunEnd } from '../contracts/agent-run.ts';
import type { Store } from '../domain/store/port.ts';

const MAX_RUNS_PER_SWEEP = 500;
/** A run younger than this may not have reached Temporal's visibility or the store in full. */
const MIN_AGE_MS = 5_000;

/**
 * Closes in the store what Temporal closed without us: a run that was terminated or timed out writes no end of its own,
 * and its gates would stay open for people to decide. Answers how many were closed.
 */
export async function sweep(client: Client, store: Store): Promise<number> {
  let closed = 0;
  const nowMs = await store.nowMs();
  for (const status of ['running', 'awaitingApproval'] as const) {
    for (const run of await store.listRuns({ status, limit: MAX_RUNS_PER_SWEEP })) {
      if (nowMs - run.startedAtMs < MIN_AGE_MS) continue;
      const end = await endInTemporal(client, run.runKey);
      if (!end) continue;
      const steps = (await store.listAttempts(run.runKey)).reduce((most, attempt) => Math.max(most, attempt.step), 0);
      await store.endRun(run.runKey, end, steps);
      await store.appendAudit({ type: 'run.swept', runKey: run.runKey, actor: 'tollgate', data: { status: end.status, message: end.message } });
      closed += 1;
    }
  }
  return closed;
}

/** Null where the run is still open. A reset run keeps its first execution's id, so it counts as the same run. */
async function endInTemporal(client: Client, { agentRunId, firstExecutionRunId }: { agentRunId: string; firstExecutionRunId: string }): Promise<RunEnd | null> {
  try {
    const description = await client.workflow.getHandle(agentRunId).describe();
    const firstRunId = description.raw.workflowExecutionInfo?.firstRunId ?? description.runId;
    if (firstRunId !== firstExecutionRunId)
      return { status: 'cancelled', message: 'The run was closed in Temporal, and its Workflow Id is used by a later run.' };
    switch (description.status.name) {
      case 'TERMINATED':
        return { status: 'cancelled', message: 'The run was terminated in Temporal.' };
      case 'CANCELLED':
        return { status: 'cancelled', message: 'The run was cancelled in Temporal.' };
      case 'TIMED_OUT':
        return { status: 'failed', message: 'The run timed out in Temporal.' };
      case 'FAILED':
        return { status: 'failed', message: 'The run failed in Temporal without writing its end; look at its history.' };
      default:
        return null;
    }
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { status: 'cancelled', message: 'Temporal no longer knows the run.' };
    throw error;
  }
}
