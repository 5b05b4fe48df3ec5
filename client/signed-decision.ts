import type { SignedDecision } from '../contracts/approval.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ActionDigest, ApprovalId } from '../contracts/ids.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import type { AuditStore } from '../domain/store/port.ts';
import { type Identity, SIGNATURE_VALID_MS, toDecisionRequest } from './decision.ts';

/** A decision to be signed, about one gate and one digest. */
export interface DecisionToSign {
  readonly verdict: 'approve' | 'deny';
  readonly actionDigest: string;
  readonly comment?: string;
}

/** A decision that is signed and not sent: what a plain signal to the run carries, in place of the API or the CLI. */
export interface SignedSignal {
  readonly agentRunId: string;
  /** The name of the signal. */
  readonly signal: 'approve' | 'deny';
  readonly payload: { readonly approvalId: string; readonly actionDigest: string; readonly signedDecision: SignedDecision };
  /** After this moment it no longer counts as a new decision, ISO 8601. */
  readonly expiresAt: string;
}

/**
 * Signs a decision for somebody who was verified, without sending it. It counts for this gate and this digest alone.
 * @throws TollgateError `decisionRefused` where the gate asks for something else.
 */
export async function signForSignal(
  ports: { readonly signer: DecisionSigner; readonly identity: Identity; readonly audit: Pick<AuditStore, 'appendAudit'> },
  gate: GateRecord,
  { verdict, actionDigest, comment }: DecisionToSign,
  nowMs: number,
): Promise<SignedSignal> {
  if (actionDigest !== gate.actionDigest)
    throw new TollgateError(
      'decisionRefused',
      `The decision names action digest ${actionDigest}, but the gate asks for ${gate.actionDigest}. Look at the action again.`,
    );
  const { approvalId, runKey } = gate;
  const decision = {
    runKey,
    approvalId: approvalId as ApprovalId,
    actionDigest: actionDigest as ActionDigest,
    verdict,
    ...(comment === undefined ? {} : { comment }),
  };
  const { signedDecision = '' } = toDecisionRequest(decision, ports.identity, ports.signer, nowMs);
  await ports.audit.appendAudit({ type: 'decision.signed', runKey, actor: ports.identity.name, data: { approvalId, actionDigest, verdict } });
  return {
    agentRunId: runKey.agentRunId,
    signal: verdict,
    payload: { approvalId, actionDigest: decision.actionDigest, signedDecision },
    expiresAt: new Date(nowMs + SIGNATURE_VALID_MS).toISOString(),
  };
}
