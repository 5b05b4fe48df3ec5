import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import type { Repair, RepairAnswer, RepairStatement } from '../../contracts/repair.ts';
import type { Stage } from './stage.ts';
import { waitFor } from './wait-for.ts';

export const NANO = 1_000_000_000;

export type SignedAs = Partial<Pick<RepairStatement, 'actor' | 'roles' | 'reason' | 'repairId' | 'expiresAtMs' | 'agentRunId' | 'firstExecutionRunId'>>;

/** A repair as the API signs it, by the key of the stage. */
export async function signRepair(stage: Stage, runKey: RunKey, repair: Repair, as: SignedAs = {}): Promise<string> {
  const { signer } = await openLocalKey(stage.folder);
  return signer.signStatement({
    version: 1,
    statement: 'repair',
    repairId: randomUUID(),
    ...runKey,
    repair,
    reason: 'it is stuck',
    actor: 'olga',
    roles: ['operator', 'budget-owner'],
    issuedAtMs: Date.now(),
    expiresAtMs: Date.now() + 60_000,
    ...as,
  });
}

/** Sends it as the update of its kind. */
export async function sendSigned(handle: WorkflowHandle, type: Repair['type'], signed: string): Promise<RepairAnswer> {
  return await handle.executeUpdate(type, { args: [{ signed }] });
}

export async function repairRun(stage: Stage, handle: WorkflowHandle, repair: Repair, as: SignedAs = {}): Promise<RepairAnswer> {
  const run = await waitFor('the run in the store', () => stage.store.latestRun(handle.workflowId as AgentRunId));
  return await sendSigned(handle, repair.type, await signRepair(stage, run.runKey, repair, as));
}

/** The audit's entries about repairs, without what is the same in all. */
export async function auditedRepairs(stage: Stage, handle: WorkflowHandle) {
  const { runKey } = await stage.run(handle.workflowId);
  const entries = await stage.store.listAudit({ runKey, limit: 500 });
  return entries.filter(({ type }) => type.startsWith('repair.')).map(({ type, actor, data }) => ({ type, actor, ...(data as object) }));
}
