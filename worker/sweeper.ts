import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { RunEnd } from '../contracts/agent-run.ts';
import type { AgentRunId } from '../contracts/ids.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';

const MAX_RUNS_PER_SWEEP = 1_000;
/** A run younger than this may not have reached Temporal's visibility or the store in full. */
const MIN_AGE_MS = 5_000;
/** How often every open run is looked at, whatever Temporal's visibility says. */
const FULL_SWEEP_MS = 600_000;
/** How late Temporal's visibility may be. */
const VISIBILITY_LAG_MS = 60_000;

/**
 * Closes in the store what Temporal closed without us: a run that was terminated or timed out writes no end of its own,
 * and its gates would stay open for people to decide. It asks for what was closed since the last sweep, so that thousands of
 * waiting runs cost no more than one; at first, and now and then, it looks at every open run.
 */
export class Sweeper {
  readonly #client: Client;
  readonly #store: Store;
  readonly #taskQueue: string;
  #fullSweepMs = Number.NEGATIVE_INFINITY;
  #sweptMs = 0;

  constructor(client: Client, store: Store, taskQueue: string) {
    this.#client = client;
    this.#store = store;
    this.#taskQueue = taskQueue;
  }

  /** Answers how many runs were closed. */
  async sweep(): Promise<number> {
    const nowMs = await this.#store.nowMs();
    const isFull = nowMs - this.#fullSweepMs >= FULL_SWEEP_MS;
    const runs = isFull ? await this.#openRuns() : await this.#runsClosedSince(this.#sweptMs - VISIBILITY_LAG_MS);
    let closed = 0;
    for (const run of runs) if (nowMs - run.startedAtMs >= MIN_AGE_MS && (await this.#close(run))) closed += 1;
    // A run too young for this sweep is looked at by the next ones, which look back further than its age.
    this.#sweptMs = nowMs;
    if (isFull) this.#fullSweepMs = nowMs;
    return closed;
  }

  async #openRuns(): Promise<RunRecord[]> {
    const lists = await Promise.all((['running', 'awaitingApproval'] as const).map((status) => this.#store.listRuns({ status, limit: MAX_RUNS_PER_SWEEP })));
    return lists.flat();
  }

  /** Runs that are open in the store, of executions that Temporal closed since `sinceMs` without an answer of their own. */
  async #runsClosedSince(sinceMs: number): Promise<RunRecord[]> {
    const since = new Date(Math.max(0, sinceMs)).toISOString();
    const query = `TaskQueue = "${this.#taskQueue}" AND ExecutionStatus IN ("Terminated", "TimedOut", "Failed", "Canceled") AND CloseTime > "${since}"`;
    const runs = new Map<string, RunRecord>();
    for await (const execution of this.#client.workflow.list({ query, pageSize: MAX_RUNS_PER_SWEEP })) {
      const agentRunId = execution.workflowId as AgentRunId;
      const latest = await this.#store.latestRun(agentRunId);
      // The Workflow Id may be used by a later run already.
      const own = await this.#store.getRun({ agentRunId, firstExecutionRunId: execution.raw.firstRunId || execution.runId });
      for (const run of [latest, own]) if (run && run.endedAtMs === null) runs.set(`${run.runKey.agentRunId} ${run.runKey.firstExecutionRunId}`, run);
    }
    return [...runs.values()];
  }

  async #close(run: RunRecord): Promise<boolean> {
    const end = await endInTemporal(this.#client, run.runKey);
    if (!end) return false;
    const steps = (await this.#store.listAttempts(run.runKey)).reduce((most, attempt) => Math.max(most, attempt.step), 0);
    await this.#store.endRun(run.runKey, end, steps);
    await this.#store.appendAudit({ type: 'run.swept', runKey: run.runKey, actor: 'tollgate', data: { status: end.status, message: end.message } });
    return true;
  }
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
