import type { Decision, DecisionAnswer, DecisionRefusal, GateKind, GatePolicy, GateStatus, GateTerms } from '../../contracts/approval.ts';
import type { ActionDigest, ApprovalId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';

/** One vote that counts, with the signed form that proves it. */
export interface Vote {
  readonly approver: string;
  readonly roles: readonly string[];
  readonly verdict: 'approve' | 'deny';
  readonly unverified: boolean;
  readonly comment: string | null;
  readonly atMs: number;
  readonly signedDecision: string;
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
  readonly terms?: Pick<GateTerms, 'revision' | 'escalatesAtMs'>;
  /** Oldest first. */
  readonly edits?: readonly GateEdit[];
  /** The policy asks nobody; it is only tried out. */
  readonly shadow?: true;
  readonly remindsAtMs?: number;
  readonly remindedAtMs?: number;
  readonly escalatedAtMs?: number;
  /** Who is looking at it. Advice for others; binds nobody. */
  readonly claim?: GateClaim;
  /** What approvers asked the run. */
  readonly questions?: readonly GateQuestion[];
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
  readonly untilMs: number;
}

export interface GateQuestion {
  readonly by: string;
  readonly text: string;
  readonly atMs: number;
}

export interface DecisionTransition {
  /** The row to store; null where nothing changes. */
  readonly gate: GateRecord | null;
  readonly answer: DecisionAnswer;
}

/** What the caller verified about a decision before asking the gate. */
export interface VerifiedDecision {
  readonly decision: Decision;
  readonly signedDecision: string;
  /** Whether the requester may decide where the policy does not say (true under the local development key). */
  readonly requesterMayDecideByDefault: boolean;
}

/**
 * Applies a decision whose signature has been verified to its gate, at the store's time `nowMs`. Pure. The same
 * decision twice gets the same answer; a contradicting one is told what already holds.
 */
export function decide(gate: GateRecord, verified: VerifiedDecision, nowMs: number): DecisionTransition {
  const { decision } = verified;
  const refusal = refusalOf(gate, verified, nowMs);
  if (refusal) return refused(gate, refusal[0], refusal[1]);
  if (isSpent(gate, verified.signedDecision)) return sentAgain(gate, decision.verdict);

  const own = gate.votes.find((vote) => vote.approver === decision.approver);
  if (decision.verdict === 'edit') return refused(gate, 'notEditable', 'An edit changes arguments; it is not a vote.');
  if (decision.verdict === 'withdraw') return withdrawVote(gate, own, verified.signedDecision);
  if (own && own.verdict === decision.verdict) return accepted(null, gate.status, `You have decided this already: ${own.verdict}.`);
  if (own) return refused(gate, 'alreadyVoted', `You have decided "${own.verdict}" already; withdraw that first.`);

  const vote: Vote = {
    approver: decision.approver,
    roles: decision.roles,
    verdict: decision.verdict,
    unverified: decision.unverified ?? false,
    comment: decision.comment ?? null,
    atMs: nowMs,
    signedDecision: verified.signedDecision,
  };
  const next = withVotes(gate, [...gate.votes, vote], nowMs);
  return accepted(next, next.status, describeStatus(next));
}

function refusalOf(gate: GateRecord, verified: VerifiedDecision, nowMs: number): [DecisionRefusal, string] | null {
  const { decision } = verified;
  if (decision.approvalId !== gate.approvalId) return ['unknownGate', 'The signed decision is for another gate.'];
  if (decision.agentRunId !== gate.runKey.agentRunId || decision.firstExecutionRunId !== gate.runKey.firstExecutionRunId)
    return ['unknownGate', 'The signed decision is for another run.'];
  if (decision.actionDigest !== gate.actionDigest)
    return ['wrongDigest', `The decision names action digest ${decision.actionDigest}, but the gate asks for ${gate.actionDigest}. Look at the action again.`];
  const repeated = gate.votes.some((vote) => vote.approver === decision.approver && vote.verdict === decision.verdict);
  if (repeated || isSpent(gate, verified.signedDecision)) return null;
  if (gate.status !== 'open' && !(gate.status === 'approved' && decision.verdict === 'withdraw'))
    return ['closed', `The gate is ${gate.status}; nothing was changed.`];
  if (nowMs >= gate.expiresAtMs && gate.status === 'open') return ['expired', 'The gate has expired; nothing was changed.'];
  if (nowMs >= decision.expiresAtMs) return ['expired', 'The signed decision has expired; decide again.'];
  if (decision.verdict === 'withdraw') return null;
  if (!holdsRole(decision.roles, gate.policy.role))
    return ['wrongRole', `The gate asks for the role "${gate.policy.role}"; ${decision.approver} holds ${decision.roles.join(', ') || 'none'}.`];
  const requesterMayDecide = gate.policy.requesterMayDecide ?? verified.requesterMayDecideByDefault;
  if (decision.approver === gate.requester && !requesterMayDecide)
    return ['requesterMayNotDecide', `${decision.approver} asked for this run, and the policy wants somebody else to decide.`];
  return null;
}

/** Whoever voted may take it back, whatever roles they hold by then. */
function withdrawVote(gate: GateRecord, own: Vote | undefined, signedDecision: string): DecisionTransition {
  if (!own) return refused(gate, 'noVoteToWithdraw', 'You have not decided here, so there is nothing to withdraw.');
  const spentDecisions = [...(gate.spentDecisions ?? []), signedPart(own.signedDecision), signedPart(signedDecision)];
  const next: GateRecord = { ...gate, votes: gate.votes.filter((vote) => vote !== own), spentDecisions, status: 'open', decidedAtMs: null };
  return accepted(next, 'open', 'Your decision is withdrawn; the gate is open again.');
}

/** A signed decision lies in Temporal's history, where others could take it and send it again. */
function isSpent(gate: GateRecord, signedDecision: string): boolean {
  return gate.spentDecisions?.includes(signedPart(signedDecision)) ?? false;
}

function sentAgain(gate: GateRecord, verdict: Decision['verdict']): DecisionTransition {
  if (verdict === 'withdraw') return accepted(null, gate.status, 'You have withdrawn your decision already.');
  return refused(gate, 'expired', 'This decision was withdrawn and does not count again; decide anew.');
}

/** The part before the signature: the same decision, however its signature is written. */
function signedPart(signedDecision: string): string {
  return signedDecision.split('.', 1)[0] ?? '';
}

function withVotes(gate: GateRecord, votes: readonly Vote[], nowMs: number): GateRecord {
  if (votes.some((vote) => vote.verdict === 'deny')) return { ...gate, votes, status: 'denied', decidedAtMs: nowMs };
  if (countApprovals(votes) >= gate.policy.approvers) return { ...gate, votes, status: 'approved', decidedAtMs: nowMs };
  return { ...gate, votes };
}

/** Different people among the approving votes. */
export function countApprovals(votes: readonly Vote[]): number {
  return new Set(votes.filter((vote) => vote.verdict === 'approve').map((vote) => vote.approver)).size;
}

/** Whether `roles` contain `role`, or `*`, which the local development key gives to `developer`. */
export function holdsRole(roles: readonly string[], role: string): boolean {
  return roles.includes(role) || roles.includes('*');
}

export type Permission = { readonly type: 'permitted' } | { readonly type: 'refused'; readonly gateStatus: GateStatus; readonly message: string };

/**
 * Whether an approved gate permits its action at the store's time `nowMs`. `validVotes` are those whose signature the
 * caller has just verified against the digest it recomputed itself: the row alone is never authority.
 */
export function permits(gate: GateRecord, validVotes: readonly Vote[], nowMs: number): Permission {
  if (gate.status !== 'approved') return { type: 'refused', gateStatus: gate.status, message: `The gate is ${gate.status}, not approved.` };
  if (validVotes.some((vote) => vote.verdict === 'deny')) return { type: 'refused', gateStatus: 'denied', message: 'A valid vote denies the action.' };
  const { approvals, needed } = provenApprovals(gate, validVotes);
  if (approvals < needed) return { type: 'refused', gateStatus: gate.status, message: `Only ${approvals} of ${needed} approvals carry a valid signature.` };
  if (gate.decidedAtMs === null || nowMs >= gate.decidedAtMs + gate.policy.approvalValidForMs)
    return { type: 'refused', gateStatus: 'expired', message: 'The approval is too old to be used.' };
  return { type: 'permitted' };
}

/** Whether valid votes, and not the row alone, say that the action was approved; at whatever time, also once the approval is used. */
export function isProven(gate: GateRecord, validVotes: readonly Vote[]): boolean {
  const { approvals, needed } = provenApprovals(gate, validVotes);
  return approvals >= needed && !validVotes.some((vote) => vote.verdict === 'deny');
}

/** One at least, whatever policy the row has: somebody has signed for every action. */
function provenApprovals(gate: GateRecord, validVotes: readonly Vote[]): { readonly approvals: number; readonly needed: number } {
  const able = validVotes.filter((vote) => holdsRole(vote.roles, gate.policy.role));
  return { approvals: countApprovals(able), needed: Math.max(1, gate.policy.approvers) };
}

/** Ends an open or approved gate without a person. Null where it has ended already. */
export function close(gate: GateRecord, status: 'expired' | 'withdrawn' | 'superseded', nowMs: number): GateRecord | null {
  if (status === 'expired' && (gate.status !== 'open' || nowMs < gate.expiresAtMs)) return null;
  if (gate.status !== 'open' && gate.status !== 'approved') return null;
  return { ...gate, status, decidedAtMs: gate.decidedAtMs ?? nowMs };
}

function describeStatus(gate: GateRecord): string {
  if (gate.status === 'open') return `${countApprovals(gate.votes)} of ${gate.policy.approvers} approvals; the gate stays open.`;
  return `The gate is ${gate.status}.`;
}

function accepted(gate: GateRecord | null, gateStatus: GateStatus, message: string): DecisionTransition {
  return { gate, answer: { type: 'accepted', gateStatus, message } };
}

function refused(gate: GateRecord, reason: DecisionRefusal, message: string): DecisionTransition {
  return { gate: null, answer: { type: 'refused', reason, gateStatus: gate.status, message } };
}
