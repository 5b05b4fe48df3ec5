import { openLocalKey } from '../../adapters/keys/local-key.ts';
import type { Decision } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';

/** A decision about a gate, signed with the local key of that data folder: by alice, a lead, who approves, where `more` says nothing else. */
export async function signDecision(home: string, gate: GateRecord, more: Partial<Omit<Decision, 'version'>> = {}): Promise<string> {
  const { signer } = await openLocalKey(home);
  const { agentRunId, firstExecutionRunId } = gate.runKey;
  return signer.sign({
    version: 1,
    agentRunId,
    firstExecutionRunId,
    approvalId: gate.approvalId,
    actionDigest: gate.actionDigest,
    verdict: 'approve',
    approver: 'alice',
    roles: ['lead'],
    nonce: crypto.randomUUID(),
    expiresAtMs: Date.now() + 60_000,
    ...more,
  });
}
