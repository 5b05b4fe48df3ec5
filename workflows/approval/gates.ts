import { condition, patched, uuid4 } from '@temporalio/workflow';
import type { OpenGate, OpenGateInput, OpenGateOutcome } from '../../contracts/agent-run.ts';
import type { GateMoments } from '../../contracts/approval.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import type { GateSubject } from '../../domain/agent-run/next-action.ts';
import { addGate, setGateMoments, setGateStatus } from '../../domain/agent-run/position.ts';
import { journal } from '../activity-options.ts';
import type { RunState } from '../agent-run/run-state.ts';
import { PATCHES } from '../patches.ts';
import { readable } from '../readable.ts';

/** A moment that has come for the run and not yet for the store is asked for again after this long. */
const MOMENT_RETRY_MS = 1_000;

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
  const { actionDigest, expiresAtMs } = opened;
  const gate: OpenGate = { approvalId, actionDigest, kind: subject.kind, status: 'open', tool, expiresAtMs, tries: 0, callIndex };
  run.move((current) => addGate(current, { ...gate, ...beyondOpen(opened) }));
}

/** What else a gate may be when it is opened. A run that an older worker has taken past this point goes on without. */
function beyondOpen({ status, moments }: OpenGateOutcome): Partial<OpenGate> {
  if ((status === undefined && moments === undefined) || !patched(PATCHES.gateOutcomes)) return {};
  return { ...(status === undefined ? {} : { status }), ...(moments === undefined ? {} : { moments }) };
}

/** Waits until `isDecided`, by people or by time. An expiry is a durable timer; the store's clock has the last word. */
export async function awaitDecision(run: RunState, isDecided: () => boolean): Promise<void> {
  const open = run.position.gates.filter((gate) => gate.status === 'open');
  const nextMs = Math.min(...open.flatMap(timesOf));
  const waitMs = Math.max(1, nextMs - Date.now());
  const isEdited = () =>
    run.position.gates.some((gate) => open.some(({ approvalId, actionDigest }) => approvalId === gate.approvalId && actionDigest !== gate.actionDigest));
  if (await condition(() => isDecided() || isEdited(), waitMs)) return;
  for (const gate of open.filter((candidate) => hasMoment(candidate.moments))) await tend(run, gate);
  for (const { approvalId } of open.filter((gate) => gate.expiresAtMs <= Date.now())) {
    const { gateStatus } = await journal.closeGate({ version: 1, runKey: run.runKey, approvalId, status: 'expired' });
    run.move((position) => setGateStatus(position, approvalId, gateStatus ?? 'expired'));
  }
}

/** All the moments at which a gate changes by itself. */
function timesOf({ expiresAtMs, moments }: OpenGate): readonly number[] {
  return [expiresAtMs, ...Object.values(moments ?? {})];
}

function hasMoment(moments: GateMoments = {}): boolean {
  return Object.values(moments).some((atMs) => atMs <= Date.now());
}

/** The store has the word on what has come; those whom it concerns hear of it there. */
async function tend(run: RunState, { approvalId }: OpenGate): Promise<void> {
  const { moments } = await journal.tendGate({ version: 1, runKey: run.runKey, approvalId });
  const soonestMs = Date.now() + MOMENT_RETRY_MS;
  const later = Object.fromEntries(Object.entries(moments).map(([name, atMs]) => [name, Math.max(atMs, soonestMs)]));
  run.move((position) => setGateMoments(position, approvalId, later));
}
