import type { OpenGate } from '../../contracts/agent-run.ts';
import type { DecisionRefusal, DecisionRequest, Verdict } from '../../contracts/approval.ts';
import type { ActionDigest, ApprovalId } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { Travelled } from '../../contracts/travelled.ts';

const MAX_ID_LENGTH = 100;
const MAX_COMMENT_LENGTH = 4_000;
const MAX_SIGNED_LENGTH = 16_000;
const MAX_REDACTION_LENGTH = 16_000;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Reads what a stranger sent as a decision. Null where it has not the shape of one. Never throws, whatever it is given.
 * `verdict` is the signal's own, which the payload need not repeat.
 */
export function readDecisionRequest(payload: unknown, verdict?: Verdict): DecisionRequest | null {
  if (typeof payload !== 'object' || payload === null) return null;
  const fields = payload as Record<string, unknown>;
  const said = verdict ?? fields.verdict;
  if (said !== 'approve' && said !== 'deny' && said !== 'withdraw' && said !== 'edit') return null;
  if (!isText(fields.approvalId, MAX_ID_LENGTH) || typeof fields.actionDigest !== 'string' || !DIGEST.test(fields.actionDigest)) return null;
  const comment = fields.comment ?? fields.reason;
  if (comment !== undefined && comment !== null && !isText(comment, MAX_COMMENT_LENGTH)) return null;
  const signed = fields.signedDecision;
  if (signed !== undefined && signed !== null && !isText(signed, MAX_SIGNED_LENGTH)) return null;
  const edited = said === 'edit' ? readEdit(fields) : {};
  if (edited === null) return null;
  return {
    approvalId: fields.approvalId as ApprovalId,
    actionDigest: fields.actionDigest as ActionDigest,
    verdict: said,
    ...(typeof comment === 'string' ? { comment } : {}),
    ...(typeof signed === 'string' ? { signedDecision: signed } : {}),
    ...edited,
  };
}

/** The arguments stand in the signed decision, or beside one that is not signed. What they are is checked where schemas are. */
function readEdit({ arguments: args, redaction, signedDecision }: Record<string, unknown>): Pick<DecisionRequest, 'arguments' | 'redaction'> | null {
  if (!isSmallObject(redaction ?? {}, MAX_REDACTION_LENGTH)) return null;
  const sealed = redaction === undefined || redaction === null ? {} : { redaction: redaction as Travelled };
  if (typeof signedDecision === 'string') return sealed;
  return isSmallObject(args, MAX_SIGNED_LENGTH) ? { arguments: args as JsonObject, ...sealed } : null;
}

function isSmallObject(value: unknown, maxLength: number): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  try {
    return JSON.stringify(value).length <= maxLength;
  } catch {
    return false;
  }
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= maxLength;
}

export interface Objection {
  readonly reason: DecisionRefusal;
  readonly message: string;
}

/** What speaks against even handling a decision: shape, gate, digest. Pure; runs in the update's validator. */
export function objectionTo(request: DecisionRequest | null, gates: readonly OpenGate[]): Objection | null {
  if (!request)
    return {
      reason: 'malformed',
      message: 'A decision is one object {approvalId, actionDigest (64 hex digits), verdict: approve|deny|withdraw|edit, comment?, signedDecision?}.',
    };
  const gate = gates.find((candidate) => candidate.approvalId === request.approvalId);
  if (!gate) return { reason: 'closed', message: `No gate ${request.approvalId} is open in this run; "tollgate approvals list" shows those that are.` };
  if (gate.actionDigest !== request.actionDigest)
    return {
      reason: 'wrongDigest',
      message: `The gate asks for action digest ${gate.actionDigest}, the decision names ${request.actionDigest}. Look at the action again.`,
    };
  return null;
}
