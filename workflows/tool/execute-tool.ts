import { isCancellation, log } from '@temporalio/workflow';
import type { ExecuteToolInput, ExecuteToolOutcome, OpenGate, PlannedCall, RefuseCallInput } from '../../contracts/agent-run.ts';
import { assertNever, invariant } from '../../contracts/failures.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import { completeCall, dropGate, gateOfCall, setGateStatus } from '../../domain/agent-run/position.ts';
import { isSkipped } from '../../domain/agent-run/repaired.ts';
import { callKeyOf } from '../../domain/tool/tool-call.ts';
import { journal, nearby, outside, outsideOptions } from '../activity-options.ts';
import type { RunState } from '../agent-run/run-state.ts';
import { openGate } from '../approval/gates.ts';
import { readable } from '../readable.ts';

/** Carries out one planned call, or answers it where its gate stopped it. */
export async function carryOut(run: RunState, call: PlannedCall): Promise<void> {
  const gate = gateOfCall(run.position, call.callIndex);
  if (isSkipped(run.position)) return refuse(run, call, gate, 'skipped');
  if (gate?.kind === 'inDoubt') return resolveDoubt(run, call, gate);
  if (gate && (gate.status === 'denied' || gate.status === 'expired' || gate.status === 'withdrawn')) return refuse(run, call, gate, gate.status);

  const outcome = await (call.local ? executeNearby(run, call) : executeTool(run, call));
  switch (outcome.type) {
    case 'done':
      return run.move((position) => completeCall(position, call.callIndex, callKeyOf(replyOf(run), call.callIndex, call.approvalId)));
    case 'inDoubt':
      return openGate(run, { kind: 'inDoubt', callIndex: call.callIndex });
    case 'reopen':
      return reopen(run, gate);
    case 'notPermitted':
      return notPermitted(run, gate, outcome);
    default:
      return assertNever(outcome);
  }
}

function executeTool(run: RunState, call: PlannedCall): Promise<ExecuteToolOutcome> {
  const { task, position } = run;
  const options = outsideOptions(task.toolTimeoutMs, `step ${position.step} · ${call.tool} · ${call.effect}`);
  return outside.executeTool.executeWithOptions(options, [toolInput(run, call)]);
}

/** A short read within the workflow task. One that fails or takes too long goes the ordinary way. */
async function executeNearby(run: RunState, call: PlannedCall): Promise<ExecuteToolOutcome> {
  try {
    return await nearby.executeTool(toolInput(run, call));
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.info('a local read goes the ordinary way', { tool: call.tool, error: String(error) });
    return await executeTool(run, call);
  }
}

function toolInput(run: RunState, { callIndex, approvalId }: PlannedCall): ExecuteToolInput {
  const { snapshotDigest } = run.task;
  return { version: 1, runKey: run.runKey, attemptId: replyOf(run), callIndex, snapshotDigest, ...(approvalId ? { approvalId } : {}) };
}

async function refuse(run: RunState, call: PlannedCall, gate: OpenGate | undefined, reason: RefuseCallInput['reason']): Promise<void> {
  const { runKey, task } = run;
  const input = {
    version: 1,
    runKey,
    snapshotDigest: task.snapshotDigest,
    attemptId: replyOf(run),
    callIndex: call.callIndex,
    ...(gate ? { approvalId: gate.approvalId } : {}),
    reason,
  } as const;
  const { nodeId } = await journal.refuseCall.executeWithOptions({ summary: readable(`step ${run.position.step} · ${call.tool} · ${reason}`) }, [input]);
  run.move((position) => completeCall(position, call.callIndex, nodeId));
}

async function resolveDoubt(run: RunState, call: PlannedCall, gate: OpenGate): Promise<void> {
  invariant(call.approvalId, `call ${call.callIndex} in doubt was permitted by a gate`);
  const { runKey, task } = run;
  const input = {
    version: 1,
    runKey,
    snapshotDigest: task.snapshotDigest,
    attemptId: replyOf(run),
    callIndex: call.callIndex,
    approvalId: call.approvalId,
    doubtApprovalId: gate.approvalId,
  } as const;
  const { nodeId } = await journal.resolveInDoubt.executeWithOptions({ summary: readable(`step ${run.position.step} · ${call.tool} · doubt ${gate.status}`) }, [
    input,
  ]);
  run.move((position) => completeCall(position, call.callIndex, nodeId));
}

/** The old gate no longer covers the action; a new one is opened by the next decision of the loop. */
async function reopen(run: RunState, gate: OpenGate | undefined): Promise<void> {
  invariant(gate, 'a call that needs its gate again had one');
  await journal.closeGate({ version: 1, runKey: run.runKey, approvalId: gate.approvalId, status: 'superseded' });
  run.move((position) => dropGate(position, gate.approvalId));
}

/** What holds in the store replaces what the run believed. An approval that is stored but not proven is asked for anew. */
async function notPermitted(run: RunState, gate: OpenGate | undefined, outcome: Extract<ExecuteToolOutcome, { type: 'notPermitted' }>): Promise<void> {
  invariant(gate, 'a call that was not permitted has a gate');
  const { gateStatus } = outcome;
  if (gateStatus === 'open' || gateStatus === 'denied' || gateStatus === 'expired' || gateStatus === 'withdrawn')
    return run.move((position) => setGateStatus(position, gate.approvalId, gateStatus));
  return reopen(run, gate);
}

function replyOf(run: RunState): AttemptId {
  const { replyAttemptId } = run.position;
  invariant(replyAttemptId !== null, 'tool calls belong to an accepted reply');
  return replyAttemptId;
}
