import type { InvalidOutput, OpenGate, PinnedTask, PlannedCall, ReplyCall, RunEnd, RunPosition, TranscriptHead, Tried } from '../../contracts/agent-run.ts';
import type { EditedGate, GateMoments, GateStatus } from '../../contracts/approval.ts';
import type { Exhausted, LedgerTotals, NanoUsd, ScopeKind } from '../../contracts/budget.ts';
import { invariant } from '../../contracts/failures.ts';
import type { ApprovalId, AttemptId } from '../../contracts/ids.ts';
import type { ErrorVerdict } from '../../contracts/model.ts';
import type { QuotaDenial } from '../../contracts/quota.ts';
import { NO_TRIES, withTry } from '../approval/tries.ts';
import { callKeyOf } from '../tool/tool-call.ts';
import { endOfFailedStep, isUnavailability } from './run-end.ts';

const UNAVAILABLE_MESSAGE = 'No model can answer right now. Please try again later.';

/** Where a run stands before its first model call. */
export function startPosition(head: TranscriptHead, ledger: LedgerTotals): RunPosition {
  return {
    step: 1,
    head,
    replyAttemptId: null,
    calls: [],
    gates: [],
    ledger,
    shortOfNanoUsd: null,
    wrappingUp: false,
    lastModel: null,
    end: null,
  };
}

interface AcceptedReply {
  readonly attemptId: AttemptId;
  readonly model: string;
  readonly calls: readonly ReplyCall[];
  readonly invalidOutput?: InvalidOutput;
  readonly ledger: LedgerTotals;
}

/** After a usable reply: its tool calls are planned, the run has its answer, or the answer broke the output schema and is to be given again. */
export function acceptReply(position: RunPosition, reply: AcceptedReply): RunPosition {
  const corrected = position.invalidOutput ? { invalidOutput: { ...position.invalidOutput, message: null } } : {};
  const { unavailable: _over, shortOfScope: _scope, shortOfTokens: _tokens, shortOfQuota: _quota, ...rest } = position;
  const accepted = { ...rest, ...corrected, ledger: reply.ledger, lastModel: reply.model, shortOfNanoUsd: null };
  if (position.wrappingUp) {
    const message = 'The budget was nearly used up; this is the last answer that it allowed.';
    return { ...accepted, end: { status: 'budgetExhausted', message, outputAttemptId: reply.attemptId, exhausted: exhaustedBy(position) } };
  }
  if (reply.invalidOutput) {
    const { nodeId, message } = reply.invalidOutput;
    const invalidOutput = { count: (position.invalidOutput?.count ?? 0) + 1, message };
    return { ...accepted, invalidOutput, step: position.step + 1, head: { attemptId: reply.attemptId, nodeIds: [nodeId] } };
  }
  if (reply.calls.length === 0) {
    return { ...accepted, end: { status: 'completed', message: 'The model gave its answer.', outputAttemptId: reply.attemptId } };
  }
  return finishStepIfDone({ ...accepted, replyAttemptId: reply.attemptId, calls: reply.calls.map((call, index) => plannedCall(reply.attemptId, call, index)) });
}

function plannedCall(attemptId: AttemptId, call: ReplyCall, callIndex: number): PlannedCall {
  const planned = { callIndex, tool: call.tool, effect: call.effect, ...(call.local ? { local: call.local } : {}) };
  return call.valid ? { ...planned, status: 'planned' } : { ...planned, status: 'done', nodeId: callKeyOf(attemptId, callIndex) };
}

/** After a call has its result in the transcript. Its gates are forgotten; the last one ends the step. */
export function completeCall(position: RunPosition, callIndex: number, nodeId: string): RunPosition {
  const calls = position.calls.map((call): PlannedCall => (call.callIndex === callIndex ? { ...call, status: 'done', nodeId } : call));
  return finishStepIfDone({ ...position, calls, gates: position.gates.filter((gate) => gate.callIndex !== callIndex) });
}

function finishStepIfDone(position: RunPosition): RunPosition {
  if (position.calls.some((call) => call.status !== 'done')) return position;
  const nodeIds = position.calls.map((call) => {
    invariant(call.nodeId !== undefined, `call ${call.callIndex} of step ${position.step} is done and has a result`);
    return call.nodeId;
  });
  // What undoes is no step of the run, and no model hears of it.
  if (position.undoing) return { ...position, replyAttemptId: null, calls: [] };
  return { ...position, step: position.step + 1, head: { attemptId: position.replyAttemptId, nodeIds }, replyAttemptId: null, calls: [] };
}

/** After the run ended and the undoing of what it did was planned: the plan's calls are carried out like those of a reply. */
export function startUndoing(position: RunPosition, end: RunEnd, planId: AttemptId, calls: readonly ReplyCall[]): RunPosition {
  const { unavailable: _over, ...rest } = position;
  const step = position.replyAttemptId === null ? position.step : position.step + 1;
  const undoing: RunPosition = { ...rest, step, end: null, gates: [], undoing: { end, planId } };
  if (calls.length === 0) return { ...undoing, replyAttemptId: null, calls: [] };
  return { ...undoing, replyAttemptId: planId, calls: calls.map((call, index) => plannedCall(planId, call, index)) };
}

/** After a gate was opened for a call, or for the budget (`callIndex` null). */
export function addGate(position: RunPosition, gate: OpenGate): RunPosition {
  const calls = position.calls.map(
    (call): PlannedCall => (gate.kind === 'action' && call.callIndex === gate.callIndex ? { ...call, status: 'gated', approvalId: gate.approvalId } : call),
  );
  return { ...position, calls, gates: [...position.gates, gate] };
}

/** After a decision, expiry or withdrawal changed what holds at a gate. */
export function setGateStatus(position: RunPosition, approvalId: ApprovalId, status: GateStatus): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, status } : gate)) };
}

/** After the arguments of an open gate were changed: it asks for something else from now on. */
export function setGateEdited(position: RunPosition, approvalId: ApprovalId, { actionDigest, expiresAtMs, moments }: EditedGate): RunPosition {
  const edited = { actionDigest, expiresAtMs, moments: moments ?? {} };
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, ...edited } : gate)) };
}

export function setGateMoments(position: RunPosition, approvalId: ApprovalId, moments: GateMoments): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, moments } : gate)) };
}

/** Counts one more decision at a gate, also a refused one. */
export function countTry(position: RunPosition, approvalId: ApprovalId): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, tries: gate.tries + 1 } : gate)) };
}

/** Counts it with those of the one whose it was. */
export function countTryOf(position: RunPosition, approvalId: ApprovalId, tried: Tried | null, max: number): RunPosition {
  const counted = (gate: OpenGate): OpenGate => ({ ...gate, triesOf: withTry(gate.triesOf ?? NO_TRIES, tried, max) });
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? counted(gate) : gate)) };
}

/** Counts one more question at a gate, also a refused one. */
export function countQuestion(position: RunPosition, approvalId: ApprovalId): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, asked: (gate.asked ?? 0) + 1 } : gate)) };
}

/** Where the model is asked a question from: the agent's last answer at the gate, else all that the run knows. */
export function questionHead(position: RunPosition, approvalId: ApprovalId, nodeId: string): TranscriptHead {
  const { replyAttemptId, head, calls, gates, undoing, messageNodeIds = [] } = position;
  const earlier = gates.find((gate) => gate.approvalId === approvalId)?.answerAttemptId;
  if (earlier !== undefined) return { attemptId: earlier, nodeIds: [nodeId] };
  // A plan that undoes stands where a reply stands, and is none.
  if (replyAttemptId === null || undoing) return { ...head, nodeIds: [...head.nodeIds, ...messageNodeIds, nodeId] };
  const results = calls.flatMap((call) => (call.status === 'done' && call.nodeId !== undefined ? [call.nodeId] : []));
  return { attemptId: replyAttemptId, nodeIds: [...results, nodeId] };
}

/** After the agent answered a question at a gate, if the gate is still there: the transcript that the run goes on from stays as it is. */
export function setAnswered(position: RunPosition, approvalId: ApprovalId, answerAttemptId: AttemptId): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, answerAttemptId } : gate)) };
}

/** Forgets a gate; its call, if it has one, needs a new one. */
export function dropGate(position: RunPosition, approvalId: ApprovalId): RunPosition {
  const calls = position.calls.map((call): PlannedCall => {
    if (call.approvalId !== approvalId) return call;
    const { approvalId: _dropped, ...rest } = call;
    return { ...rest, status: 'planned' };
  });
  return { ...position, calls, gates: position.gates.filter((gate) => gate.approvalId !== approvalId) };
}

/** A message waits for the next model call. */
export function keepMessage(position: RunPosition, nodeId: string): RunPosition {
  return { ...position, messageNodeIds: [...(position.messageNodeIds ?? []), nodeId] };
}

/** A run that a workflow of one's own takes further, whatever a conversation in it came to. */
export function goOn(position: RunPosition): RunPosition {
  const { unavailable: _over, ...rest } = position;
  const { end } = rest;
  if (!end) return position;
  const answer = end.outputAttemptId;
  const resumed: RunPosition = { ...rest, end: null, shortOfNanoUsd: null };
  return answer === undefined ? resumed : { ...resumed, step: position.step + 1, head: { attemptId: answer, nodeIds: [] }, answerAttemptId: answer };
}

/**
 * After a message was written: it waits for the next model call. A run that had its answer goes on from there, unless that
 * was the last step it may take; a run that ended otherwise stays ended.
 */
export function receiveMessage(position: RunPosition, nodeId: string, maxSteps: number): RunPosition {
  const waiting = keepMessage(position, nodeId);
  const { end } = position;
  const answer = end?.status === 'completed' ? end.outputAttemptId : undefined;
  if (!end || answer === undefined) return waiting;
  if (position.step < maxSteps) return goOn(waiting);
  const message = `The model gave its answer in the last step that the run may take (limits.maxSteps is ${maxSteps}); a message that came after it was not answered.`;
  return { ...waiting, end: { ...end, message } };
}

/** Before a model call: the messages that wait enter the transcript, after all that the run knows. */
export function enterMessages(position: RunPosition): RunPosition {
  const { messageNodeIds, ...rest } = position;
  if (!messageNodeIds) return position;
  return { ...rest, head: { ...position.head, nodeIds: [...position.head.nodeIds, ...messageNodeIds] } };
}

/** The end as it is written down: where a run ended without a new answer after a message, the answer it had before is its output. */
export function withAnswer({ answerAttemptId }: RunPosition, end: RunEnd): RunEnd {
  return end.outputAttemptId === undefined && answerAttemptId !== undefined ? { ...end, outputAttemptId: answerAttemptId } : end;
}

/** What a budget denied. */
export interface Shortage {
  readonly neededNanoUsd: NanoUsd;
  readonly ledger: LedgerTotals;
  readonly scope?: ScopeKind;
  readonly neededTokens?: number;
  readonly isShortOfTokens?: true;
  readonly quota?: QuotaDenial;
}

/** After a budget or a quota did not allow a call. */
export function fallShort(position: RunPosition, { neededNanoUsd, ledger, scope, neededTokens, isShortOfTokens, quota }: Shortage): RunPosition {
  const { shortOfScope: _scope, shortOfTokens: _tokens, shortOfQuota: _quota, ...rest } = position;
  return {
    ...rest,
    shortOfNanoUsd: neededNanoUsd,
    ...(scope ? { shortOfScope: scope } : {}),
    ...(isShortOfTokens && neededTokens !== undefined ? { shortOfTokens: neededTokens } : {}),
    ...(quota ? { shortOfQuota: quotaInWords(quota) } : {}),
    ledger,
  };
}

/** Which limit is short. */
export function exhaustedBy({ shortOfQuota, shortOfTokens }: RunPosition): Exhausted {
  if (shortOfQuota !== undefined) return 'quota';
  return shortOfTokens === undefined ? 'money' : 'tokens';
}

function quotaInWords({ name, freesAtMs }: QuotaDenial): string {
  return `the quota "${name}", ${freesAtMs === null ? 'and more than it ever allows' : `which frees at ${new Date(freesAtMs).toISOString()}`}`;
}

/** After a budget was raised: the call is tried again. */
export function goOnWith(position: RunPosition, ledger: LedgerTotals): RunPosition {
  const { shortOfTokens: _tokens, ...rest } = position;
  return { ...rest, ledger, shortOfNanoUsd: null };
}

/** After a step got no reply from any model: the run ends, or goes on as its task says where none was there to answer. */
export function failStep(
  position: RunPosition,
  task: PinnedTask,
  failure: { readonly verdict: ErrorVerdict; readonly message: string },
  nowMs: number,
): RunPosition {
  const { verdict, message } = failure;
  const { onModelsUnavailable = 'fail', unavailableMessage } = task;
  if (onModelsUnavailable === 'fail' || !isUnavailability(verdict)) return endRun(position, endOfFailedStep(verdict, message));
  if (onModelsUnavailable === 'message')
    return endRun(position, { status: 'failed', failureType: 'modelsUnavailable', message, text: unavailableMessage ?? UNAVAILABLE_MESSAGE });
  const { unavailable: before } = position;
  const retryInMs = verdict.retryAfterMs ?? 0;
  return { ...position, unavailable: { message, sinceMs: before?.sinceMs ?? nowMs, tries: (before?.tries ?? 0) + 1, retryInMs } };
}

/** After the wait, or a person, lets the models be tried again. */
export function tryModelsAgain(position: RunPosition): RunPosition {
  return position.unavailable ? { ...position, unavailable: { ...position.unavailable, isOver: true } } : position;
}

/** After `waitedMs` at gates, which a limit in time does not count. */
export function countWait(position: RunPosition, waitedMs: number): RunPosition {
  return position.startedAtMs === undefined ? position : { ...position, waitedForPeopleMs: (position.waitedForPeopleMs ?? 0) + Math.max(0, waitedMs) };
}

export function endRun(position: RunPosition, end: RunEnd): RunPosition {
  return { ...position, end };
}

/** The action gate of a call, or its newer `inDoubt` gate. */
export function gateOfCall(position: RunPosition, callIndex: number): OpenGate | undefined {
  return position.gates.findLast((gate) => gate.callIndex === callIndex);
}

/** The gate about the run as a whole: its budget, or its models. */
export function runGate(position: RunPosition, kind: 'budget' | 'unavailable'): OpenGate | undefined {
  return position.gates.find((gate) => gate.kind === kind);
}
