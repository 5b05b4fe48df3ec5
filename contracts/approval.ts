import { z } from 'zod';
import type { JsonValue } from './json.ts';
import type { ActionDigest, ApprovalId } from './ids.ts';

export type GateKind = 'action' | 'inDoubt' | 'budget' | 'unavailable';

/**
 * `open` waits for votes; `approved` may be consumed once; `consumed` has been. The others are final:
 * `denied` by a person, `expired` by time, `withdrawn` by the run or its end, `superseded` by an edit or a stricter policy.
 */
export type GateStatus = 'open' | 'approved' | 'consumed' | 'denied' | 'expired' | 'withdrawn' | 'superseded';

export type Verdict = 'approve' | 'deny' | 'withdraw';

export const gatePolicySchema = z.strictObject({
  /** How many different people must approve. */
  approvers: z.int().min(1).max(16).default(1),
  /** The role an approver must hold. */
  role: z.string().min(1).max(100).default('approver'),
  /** How long a gate stays open, in milliseconds. Expiry denies. */
  expiresAfterMs: z
    .int()
    .min(1_000)
    .max(365 * 86_400_000)
    .default(86_400_000),
  /** How long an approval may be used after it was given, in milliseconds. */
  approvalValidForMs: z
    .int()
    .min(1_000)
    .max(365 * 86_400_000)
    .default(86_400_000),
  /** Whether the person who asked for the run may decide. Unset: true with the local development key, else false. */
  requesterMayDecide: z.boolean().optional(),
  /** False: a person looks at each action, and no standing approval counts. */
  standing: z.boolean().optional(),
});
export type GatePolicy = z.infer<typeof gatePolicySchema>;

/** What a person decided, as signed by the API or the CLI for a person it has verified. */
export const decisionSchema = z.strictObject({
  version: z.literal(1),
  agentRunId: z.string().min(1).max(1_000),
  firstExecutionRunId: z.string().min(1).max(100),
  approvalId: z.string().min(1).max(100),
  actionDigest: z.string().regex(/^[0-9a-f]{64}$/),
  verdict: z.enum(['approve', 'deny', 'withdraw']),
  approver: z.string().min(1).max(200),
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
  | 'malformed';

export type DecisionAnswer =
  | { readonly type: 'accepted'; readonly gateStatus: GateStatus; readonly message: string }
  | { readonly type: 'refused'; readonly reason: DecisionRefusal; readonly gateStatus: GateStatus | null; readonly message: string };

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
}
