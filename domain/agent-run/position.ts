import type { InvalidOutput, OpenGate, PlannedCall, ReplyCall, RunEnd, RunPosition, TranscriptHead } from '../../contracts/agent-run.ts';
import type { GateStatus } from '../../contracts/approval.ts';
import type { LedgerTotals, NanoUsd, ScopeKind } from '../../contracts/budget.ts';
import { invariant } from '../../contracts/failures.ts';
import type { ApprovalId, AttemptId } from '../../contracts/ids.ts';
import { callKeyOf } from '../tool/tool-call.ts';

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
  const accepted = { ...position, ...corrected, ledger: reply.ledger, lastModel: reply.model, shortOfNanoUsd: null };
  if (position.wrappingUp) {
    const message = 'The budget was nearly used up; this is the last answer that it allowed.';
    return { ...accepted, end: { status: 'budgetExhausted', message, outputAttemptId: reply.attemptId } };
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
  return { ...position, step: position.step + 1, head: { attemptId: position.replyAttemptId, nodeIds }, replyAttemptId: null, calls: [] };
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

/** Counts one more decision at a gate, also a refused one. */
export function countTry(position: RunPosition, approvalId: ApprovalId): RunPosition {
  return { ...position, gates: position.gates.map((gate) => (gate.approvalId === approvalId ? { ...gate, tries: gate.tries + 1 } : gate)) };
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
  const { end } = position;
  if (!end) return position;
  const answer = end.outputAttemptId;
  const resumed: RunPosition = { ...position, end: null, shortOfNanoUsd: null };
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

/** After the budget did not allow a call that may need `neededNanoUsd`. */
export function fallShort(position: RunPosition, neededNanoUsd: NanoUsd, ledger: LedgerTotals, scope?: ScopeKind): RunPosition {
  const { shortOfScope: _earlier, ...rest } = position;
  return { ...rest, shortOfNanoUsd: neededNanoUsd, ...(scope ? { shortOfScope: scope } : {}), ledger };
}

export function endRun(position: RunPosition, end: RunEnd): RunPosition {
  return { ...position, end };
}

/** The action gate of a call, or its newer `inDoubt` gate. */
export function gateOfCall(position: RunPosition, callIndex: number): OpenGate | undefined {
  return position.gates.findLast((gate) => gate.callIndex === callIndex);
}

export function budgetGate(position: RunPosition): OpenGate | undefined {
  return position.gates.find((gate) => gate.kind === 'budget');
}
