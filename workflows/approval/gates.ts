import { condition, uuid4 } from '@temporalio/workflow';
import type { OpenGateInput } from '../../contracts/agent-run.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import type { GateSubject } from '../../domain/agent-run/next-action.ts';
import { addGate, setGateStatus } from '../../domain/agent-run/position.ts';
import { journal } from '../activity-options.ts';
import type { RunState } from '../agent-run/run-state.ts';
import { readable } from '../readable.ts';

/** Opens a gate: the store has it before anyone is told. */
export async function openGate(run: RunState, subject: GateSubject): Promise<void> {
  const { position, task, runKey } = run;
  const approvalId = uuid4() as ApprovalId;
  const callIndex = 'callIndex' in subject ? subject.callIndex : null;
  const call = position.calls.find((candidate) => candidate.callIndex === callIndex);
  const input: OpenGateInput = {
    version: 1,
    runKey,
    snapshotDigest: task.snapshotDigest,
    approvalId,
    kind: subject.kind,
    attemptId: position.replyAttemptId,
    callIndex,
    liveApprovalIds: position.gates.map((gate) => gate.approvalId),
    ...(subject.kind === 'inDoubt' && call?.approvalId ? { aboutApprovalId: call.approvalId } : {}),
    ...(subject.kind === 'budget' && position.shortOfNanoUsd !== null ? { shortOfNanoUsd: position.shortOfNanoUsd } : {}),
    ...(subject.kind === 'budget' && position.shortOfTokens !== undefined ? { shortOfTokens: position.shortOfTokens } : {}),
    ...(subject.kind === 'unavailable' && position.unavailable ? { why: position.unavailable.message.slice(0, 2_000) } : {}),
  };
  const tool = call?.tool ?? (subject.kind === 'unavailable' ? 'tollgate.takeOver' : 'tollgate.raiseBudget');
  const opened = await journal.openGate.executeWithOptions({ summary: readable(`step ${position.step} · gate for ${tool}`) }, [input]);
  const { actionDigest, expiresAtMs, gateStatus: status = 'open' } = opened;
  run.move((current) => addGate(current, { approvalId, actionDigest, kind: subject.kind, status, tool, expiresAtMs, tries: 0, callIndex }));
}

/** Waits until `isDecided`, by people or by time. An expiry is a durable timer; the store's clock has the last word. */
export async function awaitDecision(run: RunState, isDecided: () => boolean): Promise<void> {
  const open = run.position.gates.filter((gate) => gate.status === 'open');
  const nextExpiryMs = Math.min(...open.map((gate) => gate.expiresAtMs));
  const waitMs = Math.max(1, nextExpiryMs - Date.now());
  if (await condition(isDecided, waitMs)) return;
  for (const { approvalId } of open.filter((gate) => gate.expiresAtMs <= Date.now())) {
    const { gateStatus } = await journal.closeGate({ version: 1, runKey: run.runKey, approvalId, status: 'expired' });
    run.move((position) => setGateStatus(position, approvalId, gateStatus ?? 'expired'));
  }
}
