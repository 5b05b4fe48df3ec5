import type { Decision, DecisionAnswer, DecisionRefusal, GateStatus } from '../../contracts/approval.ts';
import type { GateRecord, Vote } from './gate-record.ts';
import { distinctVotes, personsOf } from './persons.ts';
import { rolesOf, seatsFilled, seatsOf, type Standing, standingOf } from './quorum.ts';

export type { GateAnswer, GateClaim, GateEdit, GateQuestion, GateRecord, Vote } from './gate-record.ts';
export { holdsRole } from './quorum.ts';

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
  if (decision.verdict === 'edit') return refused(gate, 'notEditable', 'An edit changes arguments; it is no vote.');
  if (decision.verdict === 'withdraw') return withdrawVote(gate, own, verified.signedDecision);
  if (own && own.verdict === decision.verdict) return accepted(null, gate.status, `You have decided this already: ${own.verdict}.`);
  if (own) return refused(gate, 'alreadyVoted', `You have decided "${own.verdict}" already; withdraw that first.`);

  const vote: Vote = {
    approver: decision.approver,
    ...(decision.displayName === undefined ? {} : { displayName: decision.displayName }),
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

/** What speaks against a decision or an edit by this person at this moment; null where nothing does. */
export function refusalOf(gate: GateRecord, verified: VerifiedDecision, nowMs: number): [DecisionRefusal, string] | null {
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
  const standing = standingAt(gate, nowMs);
  const may = standingOf(decision.roles, standing);
  if (may === 'wrongRole')
    return ['wrongRole', `The gate asks for the role ${inWords(rolesOf(standing))}; ${decision.approver} holds ${decision.roles.join(', ') || 'none'}.`];
  if (may === 'overLimit' && decision.verdict === 'approve')
    return [
      'overLimit',
      `The policy does not let ${decision.approver} (${decision.roles.join(', ')}) approve these arguments: they go beyond the limit of the role.`,
    ];
  if (decision.verdict !== 'edit' && isRequester(gate, decision.approver) && !mayRequesterDecide(gate, verified.requesterMayDecideByDefault))
    return ['requesterMayNotDecide', `${decision.approver} asked for this, and the policy wants somebody else to decide.`];
  return null;
}

function inWords(roles: readonly string[]): string {
  return roles.map((role) => `"${role}"`).join(' or ');
}

/** Who asked for the run, or for other arguments than the run did. */
export function isRequester(gate: GateRecord, person: string): boolean {
  return gate.requester === person || (gate.terms?.editors.includes(person) ?? false);
}

export function mayRequesterDecide({ policy }: Pick<GateRecord, 'policy'>, byDefault: boolean): boolean {
  return policy.requesterMayDecide ?? byDefault;
}

/** What the gate asks of people at that moment. When it escalates is in its digest, so that no row can bring it forward. */
export function standingAt({ policy, arguments: args, terms }: GateRecord, nowMs: number): Standing {
  const escalatesAtMs = terms?.escalatesAtMs ?? null;
  return { policy, arguments: args, isEscalated: escalatesAtMs !== null && nowMs >= escalatesAtMs };
}

/** Whoever voted may take it back, whatever roles they hold by then. */
function withdrawVote(gate: GateRecord, own: Vote | undefined, signedDecision: string): DecisionTransition {
  if (!own) return refused(gate, 'noVoteToWithdraw', 'You have not decided here, so there is nothing to withdraw.');
  const spentDecisions = [...(gate.spentDecisions ?? []), signedPart(own.signedDecision), signedPart(signedDecision)];
  const next: GateRecord = { ...gate, votes: gate.votes.filter((vote) => vote !== own), spentDecisions, status: 'open', decidedAtMs: null };
  return accepted(next, 'open', 'Your decision is withdrawn; the gate is open again.');
}

/** A signed decision lies in Temporal's history, where others could take it and send it again. */
export function isSpent(gate: GateRecord, signedDecision: string): boolean {
  return gate.spentDecisions?.includes(signedPart(signedDecision)) ?? false;
}

function sentAgain(gate: GateRecord, verdict: Decision['verdict']): DecisionTransition {
  if (verdict === 'withdraw') return accepted(null, gate.status, 'You have withdrawn your decision already.');
  return refused(gate, 'expired', 'This decision was withdrawn and does not count again; decide anew.');
}

/** The part before the signature: the same decision, however its signature is written. */
export function signedPart(signedDecision: string): string {
  return signedDecision.split('.', 1)[0] ?? '';
}

function withVotes(gate: GateRecord, votes: readonly Vote[], nowMs: number): GateRecord {
  if (votes.some((vote) => vote.verdict === 'deny')) return { ...gate, votes, status: 'denied', decidedAtMs: nowMs };
  if (filledBy(votes, standingAt(gate, nowMs)) >= seatsOf(gate.policy)) return { ...gate, votes, status: 'approved', decidedAtMs: nowMs };
  return { ...gate, votes };
}

/** How many of the seats of a gate's quorums its approving votes fill, one a person. */
function filledBy(votes: readonly Vote[], standing: Standing): number {
  const approvals = distinctVotes(votes.filter(({ verdict }) => verdict === 'approve'));
  return seatsFilled(
    approvals.map(({ roles }) => roles),
    standing,
  );
}

/** Different people among the approving votes. */
export function countApprovals(votes: readonly Vote[]): number {
  return distinctVotes(votes.filter((vote) => vote.verdict === 'approve')).length;
}

/** A vote whose signature was verified; it was signed to be handed in until `signedUntilMs`, so it was not handed in later. */
export type ProvenVote = Vote & { readonly signedUntilMs?: number };

export type Permission = { readonly type: 'permitted' } | { readonly type: 'refused'; readonly gateStatus: GateStatus; readonly message: string };

/** What the worker that is to act knows from its own configuration. */
export interface Ruling {
  /** Whether the requester may decide where the policy does not say. */
  readonly requesterMayDecideByDefault: boolean;
}

const LENIENT: Ruling = { requesterMayDecideByDefault: true };

/**
 * Whether an approved gate permits its action at the store's time `nowMs`. `validVotes` are those whose signature the
 * caller has just verified against the digest it recomputed itself: the row alone is never authority.
 */
export function permits(gate: GateRecord, validVotes: readonly ProvenVote[], nowMs: number, ruling = LENIENT): Permission {
  if (gate.status !== 'approved') return { type: 'refused', gateStatus: gate.status, message: `The gate is ${gate.status}, not approved.` };
  if (validVotes.some((vote) => vote.verdict === 'deny')) return { type: 'refused', gateStatus: 'denied', message: 'A valid vote denies the action.' };
  const { approvals, needed } = provenApprovals(gate, validVotes, nowMs, ruling);
  if (approvals < needed) return { type: 'refused', gateStatus: gate.status, message: `Only ${approvals} of ${needed} approvals carry a valid signature.` };
  if (isTooOld(gate, validVotes, nowMs)) return { type: 'refused', gateStatus: 'expired', message: 'The approval is too old to be used.' };
  return { type: 'permitted' };
}

/** Whether an approval was given too long ago. The moment in the row is believed only as far as the newest signature goes. */
export function isTooOld({ decidedAtMs, policy }: GateRecord, validVotes: readonly ProvenVote[], nowMs: number): boolean {
  const decidedBeforeMs = Math.max(...validVotes.map(({ signedUntilMs = Number.POSITIVE_INFINITY }) => signedUntilMs));
  return decidedAtMs === null || nowMs >= Math.min(decidedAtMs, decidedBeforeMs) + policy.approvalValidForMs;
}

/** A gate as it was when its digest was computed, with what people and time have decided since: nothing else of the row may have changed. */
export function decidedAs(gate: GateRecord, { status, votes, decidedAtMs }: GateRecord): GateRecord {
  return { ...gate, status, votes, decidedAtMs };
}

/** Whether valid votes, and not the row alone, say that the action was approved; also once the approval is used. */
export function isProven(gate: GateRecord, validVotes: readonly Vote[], nowMs: number, ruling = LENIENT): boolean {
  const { approvals, needed } = provenApprovals(gate, validVotes, nowMs, ruling);
  return approvals >= needed && !validVotes.some((vote) => vote.verdict === 'deny');
}

function provenApprovals(
  gate: GateRecord,
  validVotes: readonly Vote[],
  nowMs: number,
  ruling: Ruling,
): { readonly approvals: number; readonly needed: number } {
  const mayRequester = mayRequesterDecide(gate, ruling.requesterMayDecideByDefault);
  const able = validVotes.filter((vote) => mayRequester || !personsOf(vote).some((person) => isRequester(gate, person)));
  return { approvals: filledBy(able, standingAt(gate, nowMs)), needed: seatsOf(gate.policy) };
}

/** Ends an open or approved gate without a person. Null where it has ended already. */
export function close(gate: GateRecord, status: 'expired' | 'withdrawn' | 'superseded', nowMs: number): GateRecord | null {
  if (status === 'expired' && (gate.status !== 'open' || nowMs < gate.expiresAtMs)) return null;
  if (gate.status !== 'open' && gate.status !== 'approved') return null;
  return { ...gate, status, decidedAtMs: gate.decidedAtMs ?? nowMs };
}

function describeStatus(gate: GateRecord): string {
  if (gate.status === 'open') return `${countApprovals(gate.votes)} of ${seatsOf(gate.policy)} approvals; the gate stays open.`;
  return `The gate is ${gate.status}.`;
}

export function accepted(gate: GateRecord | null, gateStatus: GateStatus, message: string): DecisionTransition {
  return { gate, answer: { type: 'accepted', gateStatus, message } };
}

export function refused(gate: GateRecord, reason: DecisionRefusal, message: string): DecisionTransition {
  return { gate: null, answer: { type: 'refused', reason, gateStatus: gate.status, message } };
}
