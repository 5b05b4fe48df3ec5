import type { GateKind, GatePolicy, GateStatus, GateTerms, NoAnswer } from '../../contracts/approval.ts';
import type { ActionDigest, ApprovalId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { StandingReference } from './standing.ts';

/** One vote that counts, with the signed form that proves it. */
export interface Vote {
  readonly approver: string;
  /** How people call the approver. */
  readonly displayName?: string;
  readonly roles: readonly string[];
  readonly verdict: 'approve' | 'deny';
  readonly unverified: boolean;
  readonly comment: string | null;
  readonly atMs: number;
  readonly signedDecision: string;
  /** Whose role the vote stands for, where it is not the voter's own, and the signed delegation that says so. */
  readonly onBehalfOf?: string;
  readonly delegation?: string;
}

/** A gate as stored. Votes, withdrawal and consumption compare-and-set this one row. */
export interface GateRecord {
  readonly runKey: RunKey;
  readonly approvalId: ApprovalId;
  readonly kind: GateKind;
  readonly status: GateStatus;
  readonly actionDigest: ActionDigest;
  readonly tool: string;
  readonly toolVersion: string;
  readonly destination: string;
  /** The arguments that will run, as the approver sees them. */
  readonly arguments: JsonValue;
  readonly occurrence: number;
  readonly policy: GatePolicy;
  readonly policyVersion: string;
  /** What would be asked if the rules that are only tried out counted; null or absent where that is the same. */
  readonly tried?: GatePolicy | null;
  /** Why the run asks, and what is known, for a person. */
  readonly reason: string;
  readonly requester: string;
  readonly attemptId: AttemptId | null;
  readonly callIndex: number | null;
  /** For `inDoubt`: the gate whose action is in doubt. */
  readonly aboutApprovalId: ApprovalId | null;
  readonly votes: readonly Vote[];
  /** Signed decisions that have been taken back, and those that took them back. Whoever sends one again changes nothing. */
  readonly spentDecisions?: readonly string[];
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly decidedAtMs: number | null;
  readonly consumedAtMs: number | null;
  /** The terms are in the digest. Absent in gates of older workers. */
  readonly terms?: Pick<GateTerms, 'revision' | 'escalatesAtMs' | 'editors'>;
  /** Oldest first. */
  readonly edits?: readonly GateEdit[];
  readonly remindsAtMs?: number;
  readonly remindedAtMs?: number;
  readonly escalatedAtMs?: number;
  /** Who is looking at it. Advice for others; binds nobody. */
  readonly claim?: GateClaim;
  /** What approvers asked the agent, oldest first. */
  readonly questions?: readonly GateQuestion[];
  /** The standing approval that approved it, in place of votes. */
  readonly standing?: StandingReference;
}

/** One change of the arguments by a person, with what it replaced. */
export interface GateEdit {
  readonly editor: string;
  readonly atMs: number;
  readonly comment: string | null;
  readonly fromArguments: JsonValue;
  readonly fromDigest: ActionDigest;
  readonly signedDecision: string;
}

export interface GateClaim {
  readonly by: string;
  readonly displayName?: string;
  readonly untilMs: number;
}

export interface GateQuestion {
  readonly questionId: string;
  readonly by: string;
  readonly displayName?: string;
  readonly text: string;
  readonly atMs: number;
  /** What the gate showed when it was asked. */
  readonly actionDigest: ActionDigest;
  /** Unset while the agent is asked. */
  readonly answer?: GateAnswer;
}

/** What the agent said, or why it said nothing. Words for people: nothing reads them to decide. */
export type GateAnswer =
  | { readonly type: 'answered'; readonly text: string; readonly model: string; readonly attemptId: AttemptId; readonly atMs: number }
  | { readonly type: 'notAnswered'; readonly why: NoAnswer; readonly message: string; readonly atMs: number };
