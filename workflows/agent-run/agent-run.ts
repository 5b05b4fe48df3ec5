import { condition, uuid4 } from '@temporalio/workflow';
import type { AgentRunInput, AgentRunResult, OpenGate, RunEnd } from '../../contracts/agent-run.ts';
import { assertNever } from '../../contracts/failures.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import { decideNextAction, type GateSubject, leftMs, type NextAction } from '../../domain/agent-run/next-action.ts';
import {
  acceptReply,
  countWait,
  dropGate,
  endRun,
  enterMessages,
  failStep,
  fallShort,
  goOnWith,
  keepMessage,
  startUndoing,
  tryModelsAgain,
} from '../../domain/agent-run/position.ts';
import { isUndoneOn, PLAN_PREFIX } from '../../domain/tool/compensation.ts';
import { journal } from '../activity-options.ts';
import { awaitDecision, openGate } from '../approval/gates.ts';
import { callModel } from '../model/call-model.ts';
import { carryOut } from '../tool/execute-tool.ts';
import { type Answer, carryOn, endByError, finish, mustContinueAsNew, openRun, pinTask } from './life.ts';
import { takeMessages } from './messages.ts';
import type { RunState } from './run-state.ts';

/**
 * One agent run: take a model step, run its tool calls, pass the gates, decide what next. Answers an AgentRunResult, also
 * where the run was denied or ran out of budget; a run that failed carries its result in the details of an
 * ApplicationFailure whose type is one of contracts/failures.ts.
 */
export async function agentRun(start: AgentRunInput): Promise<AgentRunResult> {
  const run = openRun(start);
  run.carriesOn = true;
  let answer: Answer | null = null;
  try {
    if (!run.isPinned) await pinTask(run);
    while (!answer) {
      if (run.mailbox.hasMail) await takeMessages(run);
      if (mustContinueAsNew(run)) await carryOn(run);
      const action = nextAction(run);
      if (action.type !== 'finish') {
        await take(run, action);
        continue;
      }
      const written = await finish(run, await undo(run, action.end));
      // A message that came while the end was written is not lost: it is answered, where the run may go on.
      if (!run.mailbox.hasMail) answer = written;
    }
  } catch (error) {
    answer = await endByError(run, error, undo);
  }
  return answer();
}

/**
 * Undoes what a run has done that ends without success, where its task asks for it: a step more, whose calls no model asked for.
 * It does not continue as new; a plan has a limit. Answers how the run ends.
 */
export async function undo(run: RunState, end: RunEnd): Promise<RunEnd> {
  if (!run.isPinned || run.position.undoing || !isUndoneOn(run.task, end.status)) return end;
  run.carriesOn = false;
  const { runKey, task } = run;
  const planId = `${PLAN_PREFIX}${uuid4()}` as AttemptId;
  const { calls } = await journal.planCompensation({ version: 1, runKey, snapshotDigest: task.snapshotDigest, planId, why: end.message.slice(0, 1_000) });
  run.move((position) => startUndoing(position, end, planId, calls));
  for (;;) {
    if (run.mailbox.hasMail) await takeMessages(run, keepMessage);
    const action = nextAction(run);
    if (action.type === 'finish') return action.end;
    await take(run, action);
  }
}

/** What the run does next. */
export function nextAction(run: RunState): NextAction {
  run.countTurn();
  run.publish();
  if (run.repairsUnderWay > 0) return { type: 'awaitResume' };
  return decideNextAction(run.position, run.task, Date.now());
}

/** Does it. Not async itself: each turn of the promise loop more would change the order of commands in running histories. */
export function take(run: RunState, action: Exclude<NextAction, { type: 'finish' }>): Promise<unknown> {
  switch (action.type) {
    case 'callModel':
      return takeStep(run, action);
    case 'executeTools':
      return Promise.all(action.calls.map((call) => carryOut(run, call)));
    case 'awaitApproval':
      return passGates(run, action.open);
    case 'takeOver':
      return takeOver(run, action.gate);
    case 'awaitResume':
      return awaitResume(run);
    case 'waitForModels':
      return waitForModels(run, action.waitMs);
    default:
      return assertNever(action);
  }
}

async function takeStep(run: RunState, action: Extract<NextAction, { type: 'callModel' }>): Promise<void> {
  const { raisedBy } = action;
  if (raisedBy && !(await raiseBudget(run, raisedBy.approvalId))) return;
  if (action.mode === 'wrapUp') run.move((position) => ({ ...position, wrappingUp: true }));
  run.move(enterMessages);

  const { task, position } = run;
  const outcome = await callModel({
    run,
    task,
    step: position.step,
    head: position.head,
    mode: action.mode,
    leftMs: () => leftMs(run.position, task, Date.now()),
  });
  switch (outcome.type) {
    case 'reply':
      return run.move((current) => acceptReply(current, outcome));
    case 'budgetDenied':
      return run.move((current) => fallShort(current, outcome));
    case 'failed':
      return run.move((current) => failStep({ ...current, ledger: outcome.ledger }, run.task, outcome, Date.now()));
    default:
      return assertNever(outcome);
  }
}

/** False where the approval turned out not to hold; the gate is dropped and asked for again. */
async function raiseBudget(run: RunState, approvalId: Parameters<typeof dropGate>[1]): Promise<boolean> {
  const raised = await journal.raiseBudget({ version: 1, runKey: run.runKey, approvalId });
  run.move((position) => dropGate(position, approvalId));
  if (raised.type === 'notPermitted') return false;
  run.move((position) => goOnWith(position, raised.ledger));
  return true;
}

/** What a person decided about a run that no model answers: try again, or take their answer. A decision that does not hold is asked for again. */
async function takeOver(run: RunState, { approvalId }: Pick<OpenGate, 'approvalId'>): Promise<void> {
  const { runKey, task } = run;
  const taken = await journal.takeOver({ version: 1, runKey, snapshotDigest: task.snapshotDigest, approvalId });
  run.move((position) => dropGate(position, approvalId));
  switch (taken.type) {
    case 'retry':
      return run.move(tryModelsAgain);
    case 'answer':
      return run.move((position) =>
        endRun(position, { status: 'completed', message: `No model could answer; ${taken.approver} gave the answer by hand.`, text: taken.text }),
      );
    case 'notPermitted':
      return run.move((position) => (position.unavailable ? { ...position, unavailable: { ...position.unavailable, message: taken.message } } : position));
    default:
      return assertNever(taken);
  }
}

/** A message from outside, or an operator, ends the wait: people are there. */
async function waitForModels(run: RunState, waitMs: number): Promise<void> {
  await condition(() => run.mailbox.hasMail || run.position.unavailable?.isOver === true, waitMs);
  run.move(tryModelsAgain);
}

/** Waits until an operator lets the run go on. People decide meanwhile, and what time does to gates it does. */
async function awaitResume(run: RunState): Promise<void> {
  const isOver = () => !run.isHeld || run.mailbox.hasMail || (run.carriesOn && mustContinueAsNew(run));
  if (run.position.gates.some(({ status }) => status === 'open')) await awaitDecision(run, isOver);
  else await condition(isOver);
}

async function passGates(run: RunState, open: readonly GateSubject[]): Promise<void> {
  for (const subject of open) await openGate(run, subject);
  run.publish();
  if (open.length > 0) return;
  const mustWait = () => {
    const next = decideNextAction(run.position, run.task, Date.now());
    return next.type === 'awaitApproval' && next.open.length === 0 && !run.mailbox.hasMail;
  };
  const sinceMs = Date.now();
  await awaitDecision(run, () => !mustWait() || (run.carriesOn && mustContinueAsNew(run)));
  run.move((position) => countWait(position, Date.now() - sinceMs));
}
