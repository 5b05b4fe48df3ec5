import { createHash, randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { DecisionAnswer, DecisionRefusal, DecisionRequest, Verdict } from '../contracts/approval.ts';
import type { ActionDigest, ApprovalId, RunKey } from '../contracts/ids.ts';
import { decideApprovalUpdate } from '../contracts/temporal.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import type { DecisionSigner } from '../domain/approval/key-port.ts';
import type { Outgoing } from './redaction.ts';
import { updateRun } from './run-update.ts';

/** As the run's guard takes it. */
const MAX_SIGNED_LENGTH = 16_000;
/** How long a signed decision counts as a new vote, in milliseconds. */
export const SIGNATURE_VALID_MS = 600_000;

/** Who decides, as verified by whoever holds the signing key. */
export interface Identity {
  readonly name: string;
  readonly roles: readonly string[];
  /** How people call whoever it is; proves nothing. */
  readonly displayName?: string;
}

/** What a decision came to. `undecided`: nobody answered in time, and it may still arrive. */
export type DecisionResult = DecisionAnswer | { readonly type: 'undecided'; readonly message: string };

export interface DecisionToSend {
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
  readonly actionDigest: ActionDigest;
  readonly verdict: Verdict;
  readonly comment?: string;
  /** For `edit`: the new arguments and the values that redaction took out of them. */
  readonly edit?: Outgoing<JsonObject>;
}

/** Signs a decision for `identity`; without a signer it stays bare and counts only where the configuration allows it. */
export function toDecisionRequest(decision: DecisionToSend, identity: Identity, signer: DecisionSigner | undefined, nowMs: number): DecisionRequest {
  const { approvalId, actionDigest, verdict, runKey } = decision;
  const comment = decision.comment === undefined ? {} : { comment: decision.comment };
  const args = decision.edit ? { arguments: decision.edit.value } : {};
  const sealed = decision.edit?.redaction ? { redaction: decision.edit.redaction } : {};
  const request: DecisionRequest = { approvalId, actionDigest, verdict, ...comment, ...sealed };
  if (!signer) return { ...request, ...args };
  const signedDecision = signer.sign({
    version: 1,
    agentRunId: runKey.agentRunId,
    firstExecutionRunId: runKey.firstExecutionRunId,
    approvalId,
    actionDigest,
    verdict,
    approver: identity.name,
    ...(identity.displayName === undefined ? {} : { displayName: identity.displayName }),
    roles: [...identity.roles],
    ...comment,
    ...args,
    nonce: randomUUID(),
    expiresAtMs: nowMs + SIGNATURE_VALID_MS,
  });
  if (signedDecision.length > MAX_SIGNED_LENGTH)
    throw new TollgateError(
      'invalidInput',
      `The decision has ${signedDecision.length} bytes as signed, and ${MAX_SIGNED_LENGTH} is the most. Shorten the arguments or the comment, or deny it and say what to ask for instead.`,
    );
  return { ...request, signedDecision };
}

/**
 * Sends a decision as the update `decideApproval` and waits for its answer. A rejection by the workflow is an answer,
 * not an error.
 * @throws what the Temporal client throws where the server can't be reached.
 */
export async function sendDecision(client: Client, runKey: RunKey, request: DecisionRequest): Promise<DecisionResult> {
  const updateId = createHash('sha256')
    .update(request.signedDecision ?? JSON.stringify([runKey, request]))
    .digest('hex');
  const end = await updateRun(client, runKey, decideApprovalUpdate, request, updateId);
  switch (end.type) {
    case 'answered':
      return end.answer;
    case 'rejected':
      return {
        type: 'refused',
        reason: (end.reason as DecisionRefusal | null) ?? 'malformed',
        gateStatus: null,
        message: end.message ?? 'The run rejected the decision.',
      };
    case 'noAnswer':
      return {
        type: 'undecided',
        message:
          'No worker answered within 10 seconds; the decision may still arrive. Look again with "tollgate approvals list", and start a worker if none runs.',
      };
    case 'runEnded': {
      const message = `The run ${runKey.agentRunId} has ended, so its gates are closed; nothing was changed.`;
      return { type: 'refused', reason: 'closed', gateStatus: null, message };
    }
  }
}

/**
 * Completes an answer by what the store knows of a gate that the run no longer follows: its status, and that this very
 * person has decided the very same before, which gets the same answer as the first time.
 */
export function settled(
  result: DecisionResult,
  decision: { readonly verdict: Verdict; readonly digest: string; readonly approver: string },
  gate: GateRecord | null,
): DecisionResult {
  if (result.type !== 'refused' || !gate) return result;
  const isRepeated =
    gate.actionDigest === decision.digest && gate.votes.some((vote) => vote.approver === decision.approver && vote.verdict === decision.verdict);
  if (result.reason === 'closed' && isRepeated)
    return { type: 'accepted', gateStatus: gate.status, message: `You have decided this already: ${decision.verdict}.` };
  return { ...result, gateStatus: result.gateStatus ?? gate.status };
}
