import {
  ApplicationFailure,
  type Client,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import type { RunKey } from '../contracts/ids.ts';

/** How long an update waits for a worker's answer, in milliseconds. */
const ANSWER_TIMEOUT_MS = 10_000;
const MAX_TRIES = 3;

/** What became of an update. A rejection by the workflow is an answer, not an error; what is unset in it the workflow did not say. */
export type UpdateEnd<Answer> =
  | { readonly type: 'answered'; readonly answer: Answer }
  | { readonly type: 'rejected'; readonly reason: string | null; readonly message: string | null }
  /** No worker answered in time; the update may still arrive. */
  | { readonly type: 'noAnswer' }
  | { readonly type: 'runEnded' };

/**
 * Sends an update to a run, whatever execution of its chain is at work, and waits for its answer. The same `updateId` again
 * gets the same answer.
 * @throws what the Temporal client throws where the server can't be reached.
 */
export async function updateRun<Answer, Input>(
  client: Client,
  runKey: RunKey,
  update: UpdateDefinition<Answer, [Input]>,
  input: Input,
  updateId: string,
): Promise<UpdateEnd<Answer>> {
  const { agentRunId, firstExecutionRunId } = runKey;
  const handle = client.workflow.getHandle(agentRunId, undefined, { firstExecutionRunId });
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await client.withDeadline(Date.now() + ANSWER_TIMEOUT_MS, () => handle.executeUpdate(update, { args: [input], updateId }));
      return { type: 'answered', answer };
    } catch (error) {
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return { type: 'noAnswer' };
      if (error instanceof WorkflowUpdateFailedError) return rejected(error.cause);
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      // The run may be between two executions of a continue-as-new: the new one takes it.
      if (tries < MAX_TRIES && (await isRunning(client, runKey))) continue;
      return { type: 'runEnded' };
    }
  }
}

function rejected(cause: unknown): UpdateEnd<never> {
  const reason = cause instanceof ApplicationFailure && cause.type ? cause.type : null;
  return { type: 'rejected', reason, message: cause instanceof Error ? cause.message : null };
}

/** Whether the run goes on, in whatever execution of its chain. */
async function isRunning(client: Client, runKey: RunKey): Promise<boolean> {
  try {
    const description = await client.workflow.getHandle(runKey.agentRunId).describe();
    return description.status.name === 'RUNNING' && description.raw.workflowExecutionInfo?.firstRunId === runKey.firstExecutionRunId;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}
