import { ApplicationFailure, condition, uuid4 } from '@temporalio/workflow';
import type { AgentRunInput, AgentRunResult, PlannedCall, RunEnd } from '../../contracts/agent-run.ts';
import type { GateStatus } from '../../contracts/approval.ts';
import { invariant } from '../../contracts/failures.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { gateOfCall, goOn, keepMessage } from '../../domain/agent-run/position.ts';
import { inlineBytes, MAX_INLINE_MESSAGE_BYTES } from '../../domain/agent-run/user-message.ts';
import { journal } from '../activity-options.ts';
import { awaitDecision, openGate } from '../approval/gates.ts';
import { carryOut } from '../tool/execute-tool.ts';
import { nextAction, take, undo } from './agent-run.ts';
import type { ChildResult } from './child-agents.ts';
import { type Answer, carryOn, endByError, finish, mustContinueAsNew, openRun, pinTask } from './life.ts';
import { takeMessages } from './messages.ts';
import { untilReleased } from './repairs.ts';
import type { RunState } from './run-state.ts';

/** What an AgentRunInput becomes in a workflow of one's own: answers how the run ends. */
export type RunBody = (run: RunState) => Promise<RunEnd>;

/**
 * A workflow of one's own around `body`: pins the task, opens its budget, registers the handlers (decisions, messages,
 * status), and writes the end with the ledger, whichever way `body` ends. A cancellation ends the run as `cancelled`; an
 * ApplicationFailure that `body` throws ends it as `failed`; anything else it throws is a defect, and the run waits for a fix.
 */
export async function agentWorkflow(start: AgentRunInput, body: RunBody): Promise<AgentRunResult> {
  const run = openRun(start);
  let answer: Answer;
  try {
    if (!run.isPinned) await pinTask(run);
    const end = await body(run);
    // What still comes is written down and answered by nobody: the workflow has said that it is over.
    if (run.mailbox.hasMail) await takeMessages(run, keepMessage);
    answer = await finish(run, await undo(run, end));
    if (run.mailbox.hasMail) await takeMessages(run, keepMessage);
  } catch (error) {
    answer = await endByError(run, error, undo);
  }
  return answer();
}

/** Says something to the run's model, as a user message before the next model call. The run goes on from the answer it had, if it had one. */
export async function say(run: RunState, text: string): Promise<void> {
  await note(run, text, {});
}

/** Gives the answer of a child to the run's model, below `text`. It goes from store to store: its length is no matter to history. */
export async function sayAnswerOf(run: RunState, child: Pick<ChildResult, 'runKey'>, text: string): Promise<void> {
  await note(run, text, { answerOf: child.runKey });
}

async function note(run: RunState, text: string, more: { readonly answerOf?: ChildResult['runKey'] }): Promise<void> {
  const bytes = inlineBytes(text);
  if (bytes > MAX_INLINE_MESSAGE_BYTES)
    throw ApplicationFailure.nonRetryable(
      `A workflow says at most ${MAX_INLINE_MESSAGE_BYTES} bytes at once; these are ${bytes}. Say it in parts.`,
      'invalidInput',
    );
  const { nodeId } = await journal.addNote({ version: 1, runKey: run.runKey, noteId: uuid4(), text, ...more });
  run.move((position) => keepMessage(goOn(position), nodeId));
}

export type StepOutcome =
  /** Carry them out with `executeTools`, or one by one. */
  | { readonly type: 'toolCalls'; readonly calls: readonly PlannedCall[] }
  /** An answer (`completed`), or why there is none. */
  | { readonly type: 'end'; readonly end: RunEnd };

/**
 * One model call down the task's fallback chain, from what the run has heard so far, within its budget. Where the budget is
 * short it does what the task says: ends, wraps up, or waits at a gate for more.
 */
export async function callModel(run: RunState): Promise<StepOutcome> {
  invariant(run.position.replyAttemptId === null, 'the calls of the reply before are carried out before the model is called again');
  for (;;) {
    if (run.mailbox.hasMail) await takeMessages(run);
    const action = nextAction(run);
    if (action.type === 'finish') return { type: 'end', end: action.end };
    if (run.position.replyAttemptId !== null) return { type: 'toolCalls', calls: run.position.calls };
    const step = run.position.step;
    await take(run, action);
    // A reply of calls that can't run is answered already: the step is over, and the next one is another call.
    if (run.position.step > step) return { type: 'toolCalls', calls: [] };
  }
}

/** Carries out every call of the last reply, each irreversible one behind its gate. */
export async function executeTools(run: RunState): Promise<RunEnd | null> {
  while (run.position.replyAttemptId !== null) {
    if (run.mailbox.hasMail) await takeMessages(run);
    const action = nextAction(run);
    if (action.type === 'finish') return action.end;
    await take(run, action);
  }
  return null;
}

/** Model calls and tool calls in turn until the model answers or the run must end: the loop of `agentRun`. */
export async function converse(run: RunState): Promise<RunEnd> {
  for (;;) {
    const step = await callModel(run);
    if (step.type === 'end') return step.end;
    const end = await executeTools(run);
    if (end) return end;
  }
}

/** Opens the gate of an irreversible call, if it has none yet, and waits until people or time have decided. */
export async function requireApproval(run: RunState, { callIndex }: Pick<PlannedCall, 'callIndex'>): Promise<GateStatus> {
  const gate = () => gateOfCall(run.position, callIndex);
  if (!gate()) await openGate(run, { kind: 'action', callIndex });
  run.publish();
  while (gate()?.status === 'open') await awaitDecision(run, () => gate()?.status !== 'open');
  run.publish();
  return gate()?.status ?? 'withdrawn';
}

/**
 * Carries out one call of the last reply. An irreversible one needs `requireApproval` first: without it nothing is sent, and
 * the run fails as `notPermitted`. One that a gate stopped is answered to the model.
 */
export async function executeTool(run: RunState, { callIndex }: Pick<PlannedCall, 'callIndex'>): Promise<void> {
  const call = run.position.calls.find((candidate) => candidate.callIndex === callIndex && candidate.status !== 'done');
  if (call && run.isHeld) await untilReleased(run);
  if (call) await carryOut(run, call);
}

/** The text of an answer, at most 12 KiB of it: it travels through history. Empty where the end has no answer. */
export async function textOf(run: RunState, { outputAttemptId }: RunEnd): Promise<string> {
  if (outputAttemptId === undefined) return '';
  return (await journal.readAnswer({ version: 1, runKey: run.runKey, attemptId: outputAttemptId })).text;
}

/** Whether the history has grown so long that the run should go on as a new execution. Never while a child is in flight. */
export function shouldContinueAsNew(run: RunState): boolean {
  return mustContinueAsNew(run);
}

/** What `continueRun` was given by the execution before this one; undefined in the first. */
export function carriedState(run: RunState): JsonValue | undefined {
  return run.start.carried?.own;
}

/** Goes on as a new execution of the same workflow, with the run as it stands and `own`. Waits for children in flight first. */
export async function continueRun(run: RunState, own: JsonValue): Promise<never> {
  await condition(() => run.childrenInFlight === 0);
  for (;;) {
    if (run.mailbox.hasMail) await takeMessages(run);
    await carryOn(run, own);
  }
}
