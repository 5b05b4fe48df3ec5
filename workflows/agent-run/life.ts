import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  isCancellation,
  makeContinueAsNewFunc,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AgentRunInput, AgentRunResult, FinishRunInput, FinishRunOutcome, RunEnd } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { AGENT_RUN_WORKFLOW, getRunStatusQuery } from '../../contracts/temporal.ts';
import { endRun, startPosition, withAnswer } from '../../domain/agent-run/position.ts';
import { withoutPause } from '../../domain/agent-run/repaired.ts';
import { journal } from '../activity-options.ts';
import { handleDecisions } from '../approval/decisions.ts';
import { answersGiven, handleQuestions } from '../approval/questions.ts';
import { handleMessages } from './messages.ts';
import { handleRepairs } from './repairs.ts';
import { RunState } from './run-state.ts';

/** Gives the workflow's result, or throws it where the run failed. */
export type Answer = () => AgentRunResult;

/** A run from its workflow's argument, with its handlers: decisions, questions, messages, repairs, the status query. */
export function openRun(start: AgentRunInput): RunState {
  const run = new RunState(start);
  handleDecisions(run);
  handleQuestions(run);
  handleMessages(run);
  handleRepairs(run);
  setHandler(getRunStatusQuery, () => run.view());
  return run;
}

/** Pins the task and opens the run's budget in the store. */
export async function pinTask(run: RunState): Promise<void> {
  const { task, input, tenant, feature, requester, budgetLimitNanoUsd, budgetLimitTokens, parent, subject, redaction, traceparent } = run.start;
  const limit = {
    ...(budgetLimitNanoUsd === undefined ? {} : { budgetLimitNanoUsd }),
    ...(budgetLimitTokens === undefined ? {} : { budgetLimitTokens }),
  };
  const above = {
    ...(parent === undefined ? {} : { parent }),
    ...(subject === undefined ? {} : { subject }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
  const taken = redaction === undefined ? {} : { redaction };
  const pinned = await journal.pinTask({ version: 1, runKey: run.runKey, task, input, tenant, feature, requester, ...limit, ...above, ...taken });
  const clock = pinned.pinned.maxDurationMs === undefined ? {} : { startedAtMs: Date.now() };
  run.pin(pinned.pinned, { ...startPosition(pinned.head, pinned.ledger), ...clock });
}

/** Writes the run's end to the store and waits for handlers under way. */
export async function finish(run: RunState, end: RunEnd): Promise<Answer> {
  if (run.position.end !== end) run.move((position) => endRun(position, end));
  if (run.answersUnderWay > 0) await answersGiven(run);
  const { runKey, position } = run;
  const steps = position.replyAttemptId === null && end.outputAttemptId === undefined ? position.step - 1 : position.step;
  const written = await journal.finishRun({ version: 1, runKey, end: withAnswer(position, end), steps, ...planOf(run) });
  run.move((current) => ({ ...withoutPause(current), ledger: written.ledger }));
  run.publish();
  await condition(allHandlersFinished);
  if (run.answersUnderWay > 0) await answersGiven(run);
  return () => answer(runKey.agentRunId, end, steps, written);
}

function answer(agentRunId: string, end: RunEnd, steps: number, written: FinishRunOutcome): AgentRunResult {
  const result: AgentRunResult = {
    version: 1,
    agentRunId,
    status: end.status,
    output: written.output,
    ...(written.outputAttemptId ? { outputAttemptId: written.outputAttemptId } : {}),
    message: written.message,
    ...(end.failureType ? { failureType: end.failureType } : {}),
    ...(end.exhausted ? { exhausted: end.exhausted } : {}),
    ...(written.compensation ? { compensation: written.compensation } : {}),
    steps,
    ledger: written.ledger,
  };
  // One that has something to say to whoever asked is an answer, and no error.
  if (end.status !== 'failed' || end.text !== undefined) return result;
  throw ApplicationFailure.create({ message: written.message, type: end.failureType ?? 'modelChainExhausted', nonRetryable: true, details: [result] });
}

/**
 * Writes the end of a run that was cancelled, whose activity failed for good, or that its own workflow failed on purpose, after
 * `undo` has done what its task wants then. A cancellation does not reach the undoing that it causes.
 * @throws the cancellation again, and anything else: a defect, or a signal of the SDK.
 */
export async function endByError(run: RunState, error: unknown, undo: (run: RunState, end: RunEnd) => Promise<RunEnd>): Promise<Answer> {
  const undone = async (end: RunEnd): Promise<RunEnd> => {
    try {
      return await undo(run, end);
    } catch (failure) {
      const cause = failure instanceof ActivityFailure ? failure.cause : failure;
      if (!isCancellation(failure) && !(cause instanceof ApplicationFailure)) throw failure;
      return { ...end, message: `${end.message} Undoing what it had done was given up: ${cause instanceof Error ? cause.message : 'it was cancelled'}` };
    }
  };
  if (isCancellation(error)) {
    const end: RunEnd = { status: 'cancelled', message: 'The run was cancelled.' };
    await CancellationScope.nonCancellable(async () => writeEnd(run, await undone(end)));
    throw error;
  }
  const failure = error instanceof ActivityFailure ? error.cause : error;
  if (!(failure instanceof ApplicationFailure)) throw error;
  const end: RunEnd = { status: 'failed', failureType: failure.type ?? 'invariantBroken', message: failure.message };
  const written = await writeEnd(run, await undone(end));
  return () => answer(run.runKey.agentRunId, end, stepsOf(run), written);
}

async function writeEnd(run: RunState, end: RunEnd): Promise<FinishRunOutcome> {
  if (run.answersUnderWay > 0) await answersGiven(run);
  const written = await journal.finishRun({
    version: 1,
    runKey: run.runKey,
    end: run.isPinned ? withAnswer(run.position, end) : end,
    steps: stepsOf(run),
    ...planOf(run),
  });
  if (run.isPinned) run.move((position) => ({ ...withoutPause(endRun(position, end)), ledger: written.ledger }));
  run.publish();
  await condition(allHandlersFinished);
  if (run.answersUnderWay > 0) await answersGiven(run);
  return written;
}

function planOf(run: RunState): Pick<FinishRunInput, 'planId'> {
  const undoing = run.isPinned ? run.position.undoing : undefined;
  return undoing ? { planId: undoing.planId } : {};
}

function stepsOf(run: RunState): number {
  return run.isPinned ? run.position.step - 1 : 0;
}

/**
 * Whether the run is to go on as a new execution: its history is long, or its task names another workflow than the one it
 * was started as. Never while a child is in flight, which would lose it.
 */
export function mustContinueAsNew(run: RunState): boolean {
  if (run.childrenInFlight > 0) return false;
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= run.task.maxHistoryEvents || nextWorkflow(run) !== workflowInfo().workflowType;
}

/** A run that was started by its task's name alone begins as `agentRun` and goes on as what the task says. */
function nextWorkflow(run: RunState): string {
  const { workflowType } = workflowInfo();
  return workflowType === AGENT_RUN_WORKFLOW ? (run.task.workflow ?? workflowType) : workflowType;
}

/** Goes on as a new execution with the position and the open gates carried over; handlers under way finish first. */
export async function carryOn(run: RunState, own?: JsonValue): Promise<void> {
  invariant(run.childrenInFlight === 0, 'no child is in flight when a run continues as new');
  if (run.answersUnderWay > 0) await answersGiven(run);
  await condition(allHandlersFinished);
  // Messages travel on as transcript nodes; those that came meanwhile are written first, and questions answered.
  if (run.mailbox.hasMail || run.answersUnderWay > 0) return;
  const carried = { ...run.carry(), ...(own === undefined ? {} : { own }) };
  const workflowType = nextWorkflow(run);
  // The loop has its input in the transcript; a workflow of one's own may look at it again.
  const { redaction: _inVault, ...first } = run.start;
  const start = workflowType === AGENT_RUN_WORKFLOW ? { ...first, input: {} } : first;
  await makeContinueAsNewFunc<(start: AgentRunInput) => Promise<AgentRunResult>>({ workflowType })({ ...start, carried });
}
