import { z } from 'zod';
import type { JsonObject, JsonValue } from './json.ts';
import { type GatePolicy, gatePolicySchema } from './gate-policy.ts';
import type { ActionDigest, ApprovalId } from './ids.ts';
import type { SignedStatement } from './statement.ts';
import type { Travelled } from './travelled.ts';

export { type GatePolicy, gatePolicySchema };

export type GateKind = 'action' | 'inDoubt' | 'budget' | 'unavailable';

/**
 * `open` waits for votes; `approved` may be consumed once; `consumed` has been. The others are final:
 * `denied` by a person, `expired` by time, `withdrawn` by the run or its end, `superseded` by an edit or a stricter policy.
 */
export type GateStatus = 'open' | 'approved' | 'consumed' | 'denied' | 'expired' | 'withdrawn' | 'superseded';

/** `edit` changes the arguments of an open gate, which then asks again under a new digest. */
export type Verdict = 'approve' | 'deny' | 'withdraw' | 'edit';

/** What a person decided, as signed by the API or the CLI for a person it has verified. */
export const decisionSchema = z.strictObject({
  version: z.literal(1),
  agentRunId: z.string().min(1).max(1_000),
  firstExecutionRunId: z.string().min(1).max(100),
  approvalId: z.string().min(1).max(100),
  actionDigest: z.string().regex(/^[0-9a-f]{64}$/),
  verdict: z.enum(['approve', 'deny', 'withdraw', 'edit']),
  /** For `edit`: the whole new arguments object, redacted by the client. */
  arguments: (z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>).optional(),
  approver: z.string().min(1).max(200),
  /** How people call the approver. Proves nothing. */
  displayName: z.string().min(1).max(200).optional(),
  roles: z.array(z.string().min(1).max(100)).max(64),
  comment: z.string().max(4_000).optional(),
  nonce: z.string().min(8).max(100),
  /** After this moment (milliseconds since 1970) the signature no longer counts as a new vote. */
  expiresAtMs: z.int(),
  /** True where nobody verified the person: a bare signal, signed by the worker under the local key. */
  unverified: z.boolean().optional(),
});
export type Decision = z.infer<typeof decisionSchema>;

/** A signed decision as it travels: `<base64url of the JSON>.<base64url of its Ed25519 signature>`. */
export type SignedDecision = string;

/** What the update `decideApproval` and the signals `approve` and `deny` carry. Checked by a plain guard in domain. */
export interface DecisionRequest {
  readonly approvalId: ApprovalId;
  readonly actionDigest: ActionDigest;
  readonly verdict: Verdict;
  readonly comment?: string;
  readonly signedDecision?: SignedDecision;
  /** For an `edit` that is not signed: the whole new arguments object. */
  readonly arguments?: JsonObject;
  /** For `edit`: the values that redaction took out of the arguments. */
  readonly redaction?: Travelled;
}

export type DecisionRefusal =
  | 'unknownGate'
  | 'wrongDigest'
  | 'closed'
  | 'expired'
  | 'wrongRole'
  | 'requesterMayNotDecide'
  | 'alreadyVoted'
  | 'noVoteToWithdraw'
  | 'badSignature'
  | 'unsignedNotAllowed'
  | 'tooManyTries'
  | 'notEditable'
  | 'invalidEdit'
  | 'overLimit'
  | 'malformed';

export type DecisionAnswer =
  | {
      readonly type: 'accepted';
      readonly gateStatus: GateStatus;
      readonly message: string;
      /** Set where it was edited: what the gate asks for now. */
      readonly edited?: EditedGate;
    }
  | { readonly type: 'refused'; readonly reason: DecisionRefusal; readonly gateStatus: GateStatus | null; readonly message: string };

/** What an edit made of a gate. */
export interface EditedGate {
  readonly actionDigest: ActionDigest;
  readonly expiresAtMs: number;
  /** Whether who edited may approve it too. */
  readonly editorMayDecide: boolean;
  readonly moments?: GateMoments;
}

/** What the update `askQuestion` carries. Checked by a plain guard in domain; what is asked, and by whom, stands in what is signed. */
export interface QuestionRequest {
  readonly approvalId: ApprovalId;
  readonly actionDigest: ActionDigest;
  readonly questionId: string;
  readonly signedQuestion: SignedStatement;
  /** The values that redaction took out of the question. */
  readonly redaction?: Travelled;
}

export type QuestionRefusal =
  | Extract<DecisionRefusal, 'unknownGate' | 'wrongDigest' | 'closed' | 'expired' | 'wrongRole' | 'requesterMayNotDecide' | 'badSignature' | 'malformed'>
  | 'tooManyQuestions'
  | 'stopped'
  | 'redactionBlocked';

export type QuestionAnswer =
  /** The question stands at the gate; the agent's answer will stand beside it. */
  | { readonly type: 'accepted'; readonly questionId: string; readonly gateStatus: GateStatus; readonly message: string }
  | { readonly type: 'refused'; readonly reason: QuestionRefusal; readonly gateStatus: GateStatus | null; readonly message: string };

/** Why a question has no answer. */
export type NoAnswer = 'budget' | 'failed';

/** Moments at which a gate changes without anybody deciding; a durable timer wakes the run for each. */
export interface GateMoments {
  readonly remindsAtMs?: number;
  readonly escalatesAtMs?: number;
}

/** What a digest binds beside the action: who must approve it, and the how manieth version of its arguments it is. */
export interface GateTerms {
  readonly policy: GatePolicy;
  readonly revision: number;
  readonly escalatesAtMs: number | null;
  readonly requester: string;
  /** Who changed the arguments, oldest first: they count as requesters. */
  readonly editors: readonly string[];
}

/** What an action digest is computed over. Volatile arguments are left out of `arguments`. */
export interface GatedAction {
  readonly approvalId: ApprovalId;
  readonly agentRunId: string;
  readonly firstExecutionRunId: string;
  readonly kind: GateKind;
  readonly tool: string;
  readonly toolVersion: string;
  readonly destination: string;
  readonly arguments: JsonValue;
  /** How often the run has already carried out this very action; an approver of a repetition knows it is one. */
  readonly occurrence: number;
  readonly policyVersion: string;
  /** Absent in gates of older workers. */
  readonly terms?: GateTerms;
}
