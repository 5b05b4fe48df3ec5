import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { AgentRunInput, AgentRunResult, RunEnd } from '../../contracts/agent-run.ts';
import { assertNever } from '../../contracts/failures.ts';
import { getRunStatusQuery } from '../../contracts/temporal.ts';
import { decideNextAction, type GateSubject, type NextAction } from '../../domain/agent-run/next-action.ts';
import { acceptReply, dropGate, endRun, enterMessages, fallShort, startPosition, withAnswer } from '../../domain/agent-run/position.ts';
import { endOfFailedStep } from '../../domain/agent-run/run-end.ts';
import { journal } from '../activity-options.ts';
import { handleDecisions } from '../approval/decisions.ts';
import { awaitDecision, openGate } from '../approval/gates.ts';
import { callModel } from '../model/call-model.ts';
import { carryOut } from '../tool/execute-tool.ts';
import { handleMessages, takeMessages } from './messages.ts';
import { RunState } from './run-state.ts';

/**
 * One agent run: take a model step, run its tool calls, pass the gates, decide what next. Answers an AgentRunResult, also
 * where the run was denied or ran out of budget; a run that failed carries its result in the details of an
 * ApplicationFailure whose type is one of contracts/failures.ts.
 */
export async function agentRun(start: AgentRunInput): Promise<AgentRunResult> {
  const run = new RunState(start);
  handleDecisions(run);
  handleMessages(run);
  setHandler(getRunStatusQuery, () => run.view());

  try {
    if (!run.isPinned) await pinTask(run);
    for (;;) {
      if (run.mailbox.hasMail) await takeMessages(run);
      if (mustContinueAsNew(run)) await carryOn(run);
      run.publish();
      const action = decideNextAction(run.position, run.task);
      switch (action.type) {
        case 'callModel':
          await takeStep(run, action);
          break;
        case 'executeTools':
          await Promise.all(action.calls.map((call) => carryOut(run, call)));
          break;
        case 'awaitApproval':
          await passGates(run, action.open);
          break;
        case 'finish': {
          const result = await finish(run, action.end);
          // A message that came while the end was written is not lost: it is answered, where the run may go on.
          if (!run.mailbox.hasMail) return result();
          break;
        }
        default:
          assertNever(action);
      }
    }
  } catch (error) {
    return await endByError(run, error);
  }
}

async function pinTask(run: RunState): Promise<void> {
  const { task, input, tenant, feature, requester, budgetLimitNanoUsd } = run.start;
  const limit = budgetLimitNanoUsd === undefined ? {} : { budgetLimitNanoUsd };
  const pinned = await journal.pinTask({ version: 1, runKey: run.runKey, task, input, tenant, feature, requester, ...limit });
  run.pin(pinned.pinned, startPosition(pinned.head, pinned.ledger));
}

async function takeStep(run: RunState, action: Extract<NextAction, { type: 'callModel' }>): Promise<void> {
  const { raisedBy } = action;
  if (raisedBy && !(await raiseBudget(run, raisedBy.approvalId))) return;
  if (action.mode === 'wrapUp') run.move((position) => ({ ...position, wrappingUp: true }));
  run.move(enterMessages);

  const { runKey, task, position } = run;
  const outcome = await callModel({ runKey, task, step: position.step, head: position.head, mode: action.mode });
  switch (outcome.type) {
    case 'reply':
      return run.move((current) => acceptReply(current, outcome));
    case 'budgetDenied':
      return run.move((current) => fallShort(current, outcome.neededNanoUsd, outcome.ledger));
    case 'failed':
      return run.move((current) => endRun({ ...current, ledger: outcome.ledger }, endOfFailedStep(outcome.verdict, outcome.message)));
    default:
      return assertNever(outcome);
  }
}

/** False where the approval turned out not to hold; the gate is dropped and asked for again. */
async function raiseBudget(run: RunState, approvalId: Parameters<typeof dropGate>[1]): Promise<boolean> {
  const raised = await journal.raiseBudget({ version: 1, runKey: run.runKey, approvalId });
  run.move((position) => dropGate(position, approvalId));
  if (raised.type === 'notPermitted') return false;
  run.move((position) => ({ ...position, ledger: raised.ledger, shortOfNanoUsd: null }));
  return true;
}

async function passGates(run: RunState, open: readonly GateSubject[]): Promise<void> {
  for (const subject of open) await openGate(run, subject);
  run.publish();
  if (open.length > 0) return;
  const mustWait = () => {
    const next = decideNextAction(run.position, run.task);
    return next.type === 'awaitApproval' && next.open.length === 0 && !run.mailbox.hasMail;
  };
  await awaitDecision(run, () => !mustWait() || mustContinueAsNew(run));
}

/** Writes the end; answers what the workflow then answers. */
async function finish(run: RunState, end: RunEnd): Promise<() => AgentRunResult> {
  if (!run.position.end) run.move((position) => endRun(position, end));
  const { runKey, position } = run;
  const steps = position.replyAttemptId === null && end.outputAttemptId === undefined ? position.step - 1 : position.step;
  const written = await journal.finishRun({ version: 1, runKey, end: withAnswer(position, end), steps });
  run.move((current) => ({ ...current, ledger: written.ledger }));
  run.publish();
  await condition(allHandlersFinished);
  return () => answer(runKey.agentRunId, end, steps, written);
}

function answer(agentRunId: string, end: RunEnd, steps: number, written: Awaited<ReturnType<typeof journal.finishRun>>): AgentRunResult {
  const result: AgentRunResult = {
    version: 1,
    agentRunId,
    status: end.status,
    output: written.output,
    ...(written.outputAttemptId ? { outputAttemptId: written.outputAttemptId } : {}),
    message: written.message,
    ...(end.failureType ? { failureType: end.failureType } : {}),
    steps,
    ledger: written.ledger,
  };
  if (end.status !== 'failed') return result;
  throw ApplicationFailure.create({ message: written.message, type: end.failureType ?? 'modelChainExhausted', nonRetryable: true, details: [result] });
}

/** Writes the end of a run that was cancelled or whose activity failed for good. Anything else is a defect or a signal of the SDK. */
async function endByError(run: RunState, error: unknown): Promise<AgentRunResult> {
  if (isCancellation(error)) {
    const end: RunEnd = { status: 'cancelled', message: 'The run was cancelled.' };
    await CancellationScope.nonCancellable(() => writeEnd(run, end));
    throw error;
  }
  if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) {
    const end: RunEnd = { status: 'failed', failureType: error.cause.type ?? 'invariantBroken', message: error.cause.message };
    const written = await writeEnd(run, end);
    return answer(run.runKey.agentRunId, end, stepsOf(run), written);
  }
  throw error;
}

async function writeEnd(run: RunState, end: RunEnd): Promise<Awaited<ReturnType<typeof journal.finishRun>>> {
  const written = await journal.finishRun({ version: 1, runKey: run.runKey, end: run.isPinned ? withAnswer(run.position, end) : end, steps: stepsOf(run) });
  if (run.isPinned) run.move((position) => ({ ...endRun(position, end), ledger: written.ledger }));
  run.publish();
  await condition(allHandlersFinished);
  return written;
}

function stepsOf(run: RunState): number {
  return run.isPinned ? run.position.step - 1 : 0;
}

function mustContinueAsNew(run: RunState): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= run.task.maxHistoryEvents;
}

/** Goes on as a new execution with the position and the open gates carried over; handlers under way finish first. */
async function carryOn(run: RunState): Promise<void> {
  await condition(allHandlersFinished);
  // Messages travel on as transcript nodes; those that came meanwhile are written first.
  if (run.mailbox.hasMail) return;
  await continueAsNew<typeof agentRun>({ ...run.start, input: {}, carried: run.carry() });
}
