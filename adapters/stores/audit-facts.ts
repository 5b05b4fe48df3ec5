import type { RunEnd } from '../../contracts/agent-run.ts';
import type { AttemptId, ApprovalId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { ANCHOR_TYPE, ERASED_TYPE } from '../../domain/audit/chain.ts';
import type { AttemptRecord, AuditEntry, NewRun, NewSkip, NewToolCall, OutcomeReport, ToolCallRecord } from '../../domain/store/port.ts';

// What the stores themselves put into the audit, in the transaction that it tells of. Facts hold ids, versions, digests and
// amounts, and nothing that anybody said: an erasure leaves them.

export type AuditFact = AuditEntry & { readonly isFact: true };

function fact(type: string, runKey: RunKey | null, data: JsonObject, actor = 'tollgate'): AuditFact {
  return { type, runKey, actor, data, isFact: true };
}

export function runStarted({ runKey, task, tenant, feature, requester, snapshotDigest, limitNanoUsd, limitTokens, parentRunKeys, pinned }: NewRun): AuditFact {
  const parent = parentRunKeys[0];
  const limits = { limitNanoUsd, ...(limitTokens === undefined ? {} : { limitTokens }) };
  const data = { task, tenant, feature, snapshotDigest, ...limits, ...(parent ? { parent: { ...parent } } : {}), ...(pinned ? { pinned } : {}) };
  return fact('run.started', runKey, data, requester);
}

/** Without the end's message, which may be what a model said. */
export function runEnded(runKey: RunKey, end: RunEnd, steps: number): AuditFact {
  return fact('run.ended', runKey, { status: end.status, steps });
}

export function runReopened(runKey: RunKey): AuditFact {
  return fact('run.reopened', runKey, {});
}

/** What is asked for is in it by its digest; who was asked, by the policy and its version. */
export function gateOpened(gate: GateRecord): AuditFact {
  const { approvalId, kind, tool, toolVersion, destination, actionDigest, policy, policyVersion, occurrence, expiresAtMs, aboutApprovalId } = gate;
  const asked = { approvalId, kind, tool, toolVersion, destination, actionDigest, occurrence, aboutApprovalId };
  return fact('gate.opened', gate.runKey, { ...asked, policy: asJson(policy), policyVersion, expiresAtMs });
}

export function gateClosed(runKey: RunKey, approvalId: ApprovalId, status: string): AuditFact {
  return fact(`gate.${status}`, runKey, { approvalId });
}

export function attemptEnded(
  attempt: AttemptRecord,
  { outcome, usage, providerRequestId }: Pick<OutcomeReport, 'outcome' | 'usage' | 'providerRequestId'>,
): AuditFact {
  const { runKey, attemptId, step, mode, model, provider, endpoint, money } = attempt;
  const ended = outcome.type === 'failed' ? { outcome: outcome.verdict.class } : { outcome: outcome.type };
  const used = { ...(usage ? { usage: asJson(usage) } : {}), ...(providerRequestId === undefined ? {} : { providerRequestId }) };
  return fact('attempt.ended', runKey, { attemptId, step, mode, model, provider, endpoint, ...ended, money: { ...money }, ...used });
}

export function attemptMoved({ runKey, attemptId, money }: AttemptRecord): AuditFact {
  return fact('attempt.moneyMoved', runKey, { attemptId, money: { ...money } });
}

export function candidatePassedOver({ runKey, attemptId, step, model, reason }: NewSkip): AuditFact {
  return fact('attempt.passedOver', runKey, { attemptId, step, model, reason });
}

export function callBegun({ runKey, callKey, attemptId, callIndex, tool, toolVersion, effect, approvalId, occurrence }: NewToolCall): AuditFact {
  return fact('call.intent', runKey, { callKey, attemptId, callIndex, tool, toolVersion, effect, approvalId, occurrence });
}

export function callEnded({ runKey, callKey, tool, effect, status, isError }: ToolCallRecord): AuditFact {
  return fact('call.outcome', runKey, { callKey, tool, effect, status, isError });
}

export function callRefused({ runKey, callKey, tool, approvalId }: NewToolCall, gateStatus: string): AuditFact {
  return fact('call.refused', runKey, { callKey, tool, approvalId, gateStatus });
}

export function ledgerFact(type: 'ledger.overrun' | 'ledger.conflict', runKey: RunKey, attemptId: AttemptId, data: object): AuditFact {
  return fact(type, runKey, { attemptId, ...(asJson(data) as JsonObject) });
}

export function contentsErased(runKey: RunKey, rows: number): AuditFact {
  return fact(ERASED_TYPE, runKey, { rows });
}

export function anchorWritten(data: JsonObject): AuditFact {
  return fact(ANCHOR_TYPE, null, data);
}

function asJson(value: object): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}
