import type { ApprovalId } from '../contracts/ids.ts';
import { type ClaimRefusal, type ClaimTransition, release, take } from '../domain/approval/claim.ts';
import type { Participant, ProvenDelegation } from '../domain/approval/delegation.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import type { AuditEntry, Store } from '../domain/store/port.ts';
import type { Identity } from './decision.ts';
import { type GateReport, reportGate } from './gate-report.ts';
import { noSuchGate } from './run-reader.ts';

const MAX_DELEGATIONS = 100;

export type ClaimResult =
  | { readonly type: 'accepted'; readonly gate: GateReport }
  | { readonly type: 'refused'; readonly reason: ClaimRefusal | 'unknownGate'; readonly message: string };

/** Shows others that this person looks at a gate. Written into the store, and audited with it; no run hears of it. */
export function takeGate(store: Store, identity: Identity, approvalId: ApprovalId): Promise<ClaimResult> {
  return claim(store, identity, approvalId, 'gate.taken', take);
}

export function releaseGate(store: Store, identity: Identity, approvalId: ApprovalId): Promise<ClaimResult> {
  return claim(store, identity, approvalId, 'gate.released', (gate, { name }, nowMs) => release(gate, name, nowMs));
}

type ClaimRule = (gate: GateRecord, who: Participant & { readonly displayName?: string }, nowMs: number) => ClaimTransition;

async function claim(store: Store, identity: Identity, approvalId: ApprovalId, type: AuditEntry['type'], rule: ClaimRule): Promise<ClaimResult> {
  const found = await store.findGate(approvalId);
  const run = found && (await store.getRun(found.runKey));
  if (!found || !run) return { type: 'refused', reason: 'unknownGate', message: noSuchGate(approvalId).message };
  const who = await participant(store, identity, run.tenant);
  let transition: ClaimTransition = { type: 'refused', reason: 'closed', message: noSuchGate(approvalId).message };
  let atMs = 0;
  const gate = await store.changeGate(found.runKey, approvalId, (row, nowMs) => {
    atMs = nowMs;
    transition = rule(row, who, nowMs);
    if (transition.type === 'refused' || !transition.gate) return null;
    const until = transition.gate.claim ? { untilMs: transition.gate.claim.untilMs } : {};
    return { gate: transition.gate, audit: [{ type, runKey: row.runKey, actor: identity.name, data: { approvalId, ...until } }] };
  });
  const outcome = transition as ClaimTransition;
  if (outcome.type === 'refused') return { type: 'refused', reason: outcome.reason, message: outcome.message };
  return { type: 'accepted', gate: reportGate(gate ?? found, atMs) };
}

/** Whether the requester may decide is for the worker to say; a claim binds nobody, so that everybody of the role may. */
async function participant(store: Store, { name, roles, displayName }: Identity, tenant: string): Promise<Participant & { readonly displayName?: string }> {
  const records = await store.listDelegations({ to: name, tenant, live: true, limit: MAX_DELEGATIONS });
  const delegations = records.map(({ delegation, signed }): ProvenDelegation => ({ ...delegation, signed }));
  return { name, roles, delegations, tenant, requesterMayDecideByDefault: true, ...(displayName === undefined ? {} : { displayName }) };
}
