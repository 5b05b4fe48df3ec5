import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  startChild,
  TerminatedFailure,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { AgentRunInput, AgentRunResult, TaskReference } from '../../contracts/agent-run.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { AGENT_RUN_WORKFLOW } from '../../contracts/temporal.ts';
import { childSearchAttributes } from '../../domain/agent-run/description.ts';
import { formatUsd, parseUsd } from '../../domain/budget/price.ts';
import { untilReleased } from './repairs.ts';
import type { RunState } from './run-state.ts';
import { readable } from '../readable.ts';

export interface ChildAgent {
  /** The name of a task, or a definition in the store by its digest. */
  readonly task: string | TaskReference;
  /** A JSON object; its `message` is the first user message. At most 256 KiB. */
  readonly input: JsonObject;
  /** The most that the child may spend, in USD. It spends the parent's money: what the parent has not, the child has not. */
  readonly budgetUsd: number | string;
  /** The most tokens of input and output together, within what its parents have. Default: the task's. */
  readonly budgetTokens?: number;
  /** Part of the child's id, for people. Default: the task's name. */
  readonly name?: string;
  readonly feature?: string;
}

/** How a child run ended. Also one that failed is an answer; it is for the parent's workflow to say what that means. */
export interface ChildResult extends Pick<AgentRunResult, 'status' | 'output' | 'outputAttemptId' | 'message' | 'failureType'> {
  readonly runKey: RunKey;
}

/**
 * Runs an agent as a child and waits for its end. It draws on the parent's budget and every budget above, under a limit of
 * its own. Cancelled with its parent, also where the parent is terminated or times out.
 * @throws a cancellation where the parent is cancelled, and ApplicationFailure `invalidInput` for a budget that is no amount.
 */
export async function runChildAgent(run: RunState, child: ChildAgent): Promise<ChildResult> {
  const { input, id } = childInput(run, child);
  if (run.isHeld) await untilReleased(run);
  const present = workflowInfo().typedSearchAttributes.getAll();
  run.childrenInFlight += 1;
  try {
    const handle = await startChild<(start: AgentRunInput) => Promise<AgentRunResult>>(AGENT_RUN_WORKFLOW, {
      workflowId: id,
      args: [input],
      // The default would terminate it: nobody could write its end.
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
      typedSearchAttributes: childSearchAttributes(present, input),
      staticSummary: readable(`${input.task.name} · child of ${run.runKey.agentRunId}`),
      staticDetails: readable(
        `A child of \`${run.runKey.agentRunId}\` under its budget, with a limit of its own of ${formatUsd(input.budgetLimitNanoUsd ?? 0)} USD.`,
      ),
    });
    const runKey: RunKey = { agentRunId: id as AgentRunId, firstExecutionRunId: handle.firstExecutionRunId };
    return await handle.result().then(
      (result) => ({ runKey, ...endingOf(result) }),
      (error: unknown) => ({ runKey, ...endingOfError(error) }),
    );
  } finally {
    run.childrenInFlight -= 1;
  }
}

function childInput(
  run: RunState,
  { task, input, budgetUsd, budgetTokens, name, feature }: ChildAgent,
): { readonly input: AgentRunInput; readonly id: string } {
  const budgetLimitNanoUsd = parseUsd(String(budgetUsd));
  if (budgetLimitNanoUsd === null)
    throw ApplicationFailure.nonRetryable(
      `budgetUsd: expected an amount in USD with at most nine decimal places, such as 0.05, saw ${JSON.stringify(budgetUsd)}.`,
      'invalidInput',
    );
  const reference: TaskReference = typeof task === 'string' ? { type: 'named', name: task } : task;
  const { start, runKey } = run;
  const label = (name ?? reference.name).replace(/[^A-Za-z0-9_-]+/g, '-').slice(0, 40);
  return {
    // New after a reset: the child of the abandoned tail may still be ending under the old id.
    id: `${runKey.agentRunId}.${label}-${uuid4().slice(0, 8)}`,
    input: {
      version: 1,
      task: reference,
      input,
      tenant: start.tenant,
      feature: feature ?? start.feature,
      requester: start.requester,
      ...(start.subject === undefined ? {} : { subject: start.subject }),
      budgetLimitNanoUsd,
      ...(budgetTokens === undefined ? {} : { budgetLimitTokens: budgetTokens }),
      parent: runKey,
    },
  };
}

function endingOf({ status, output, outputAttemptId, message, failureType }: AgentRunResult): Omit<ChildResult, 'runKey'> {
  return { status, output, ...(outputAttemptId ? { outputAttemptId } : {}), message, ...(failureType ? { failureType } : {}) };
}

/** A child that failed by its own decision carries its result; one that was cancelled or terminated alone has none. */
function endingOfError(error: unknown): Omit<ChildResult, 'runKey'> {
  if (CancellationScope.current().consideredCancelled || !(error instanceof ChildWorkflowFailure)) throw error;
  const { cause } = error;
  const result = cause instanceof ApplicationFailure ? (cause.details?.[0] as AgentRunResult | undefined) : undefined;
  if (result?.status !== undefined && result.ledger !== undefined) return endingOf(result);
  const message = cause?.message ?? error.message;
  if (cause instanceof ApplicationFailure) return { status: 'failed', output: null, message, failureType: cause.type ?? 'closedByTemporal' };
  const isStopped = cause?.name === 'CancelledFailure' || cause instanceof TerminatedFailure;
  return isStopped ? { status: 'cancelled', output: null, message } : { status: 'failed', output: null, message, failureType: 'closedByTemporal' };
}
