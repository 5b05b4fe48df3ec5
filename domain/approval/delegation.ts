import type { Decision, DecisionRefusal } from '../../contracts/approval.ts';
import type { Delegation, SignedStatement } from '../../contracts/statement.ts';
import { describeVoter, personsOf } from './persons.ts';
import {
  type DecisionTransition,
  decide,
  type GateRecord,
  holdsRole,
  isRequester,
  mayRequesterDecide,
  standingAt,
  type VerifiedDecision,
  type Vote,
} from './gate.ts';
import { rolesOf } from './quorum.ts';

/** Every decision is signed for this long at most, so that the moment of its signing is known to lie within it. */
export const DECISION_VALID_FOR_MS = 600_000;

/** A delegation whose signature was verified, in the form that proves it. */
export interface ProvenDelegation extends Delegation {
  readonly signed: SignedStatement;
}

/** Whether `delegation` lets a person stand for its role at gates of `tenant`, whenever that is. The delegator must hold what is given away. */
function isFor(delegation: Delegation, { approver }: Pick<Decision, 'approver'>, tenant: string): boolean {
  return (
    delegation.to === approver &&
    delegation.delegator !== approver &&
    holdsRole(delegation.roles, delegation.role) &&
    (delegation.tenant === null || delegation.tenant === tenant)
  );
}

/**
 * Applies a decision as `decide` does. Where the person lacks the gate's role and somebody who holds it has delegated it
 * to them, the vote is cast for that one: neither of the two may vote another time at this gate.
 */
export function decideForOthers(
  gate: GateRecord,
  verified: VerifiedDecision,
  delegations: readonly ProvenDelegation[],
  tenant: string,
  nowMs: number,
): DecisionTransition {
  const { decision } = verified;
  const isVote = decision.verdict === 'approve' || decision.verdict === 'deny';
  const asked = rolesOf(standingAt(gate, nowMs));
  const holdsOne = asked.some((role) => holdsRole(decision.roles, role));
  const used = isVote && !holdsOne ? delegationFor(gate, asked, verified, delegations, tenant, nowMs) : null;
  const persons = [decision.approver, ...(used ? [used.delegator] : [])];
  const other = gate.votes.find((vote) => vote.approver !== decision.approver && personsOf(vote).some((person) => persons.includes(person)));
  if (isVote && other && gate.status === 'open')
    return {
      gate: null,
      answer: {
        type: 'refused',
        reason: 'alreadyVoted',
        gateStatus: gate.status,
        message: `${describeVoter(other)} has decided here already, and a person counts once.`,
      },
    };
  const transition = decide(gate, used ? { ...verified, decision: { ...decision, roles: [...decision.roles, used.role] } } : verified, nowMs);
  if (!used || !transition.gate) return transition;
  const votes = transition.gate.votes.map((vote) =>
    vote.signedDecision === verified.signedDecision ? { ...vote, onBehalfOf: used.delegator, delegation: used.signed } : vote,
  );
  return { ...transition, gate: { ...transition.gate, votes } };
}

/** Somebody who was verified, and wants to do something at a gate beside deciding. */
export interface Participant {
  readonly name: string;
  readonly roles: readonly string[];
  /** As the caller knows them; those that are not for this person count for nothing. */
  readonly delegations: readonly ProvenDelegation[];
  readonly tenant: string;
  readonly requesterMayDecideByDefault: boolean;
}

export type PartRefusal = Extract<DecisionRefusal, 'closed' | 'expired' | 'wrongRole' | 'requesterMayNotDecide'>;

/** What speaks against a person who wants to take part in deciding at this moment: exactly those who may decide may. Null where nothing does. */
export function objectionToPart(gate: GateRecord, who: Participant, nowMs: number): readonly [PartRefusal, string] | null {
  const { name, roles, delegations, tenant, requesterMayDecideByDefault } = who;
  if (gate.status !== 'open') return ['closed', `The gate is ${gate.status}; nothing was changed.`];
  if (nowMs >= gate.expiresAtMs) return ['expired', 'The gate has expired; nothing was changed.'];
  const asked = rolesOf(standingAt(gate, nowMs));
  const holdsOne = asked.some((role) => holdsRole(roles, role));
  const person = { decision: { approver: name }, requesterMayDecideByDefault };
  if (!holdsOne && !delegationFor(gate, asked, person, delegations, tenant, nowMs))
    return ['wrongRole', `The gate asks for the role ${asked.map((role) => `"${role}"`).join(' or ')}; ${name} holds ${roles.join(', ') || 'none'}.`];
  if (isRequester(gate, name) && !mayRequesterDecide(gate, requesterMayDecideByDefault))
    return ['requesterMayNotDecide', `${name} asked for this, and the policy wants somebody else to decide.`];
  return null;
}

/** The first one that is in force now and whose delegator may decide here. */
function delegationFor(
  gate: GateRecord,
  asked: readonly string[],
  { decision, requesterMayDecideByDefault }: { readonly decision: Pick<Decision, 'approver'>; readonly requesterMayDecideByDefault: boolean },
  delegations: readonly ProvenDelegation[],
  tenant: string,
  nowMs: number,
): ProvenDelegation | null {
  const mayBeRequester = mayRequesterDecide(gate, requesterMayDecideByDefault);
  return (
    delegations.find(
      (delegation) =>
        asked.includes(delegation.role) &&
        isFor(delegation, decision, tenant) &&
        nowMs >= delegation.fromMs &&
        nowMs < delegation.untilMs &&
        (mayBeRequester || !isRequester(gate, delegation.delegator)),
    ) ?? null
  );
}

/**
 * The roles that a vote stands for: the person's own as signed, and one that a proven delegation, in force when the
 * decision was signed, gives. The row's own word for either counts for nothing.
 */
export function rolesOfVote(vote: Vote, decision: Decision, delegations: readonly ProvenDelegation[], tenant: string): readonly string[] {
  if (vote.delegation === undefined) return decision.roles;
  const latestMs = decision.expiresAtMs;
  const proven = delegations.find(
    (delegation) =>
      delegation.signed === vote.delegation &&
      delegation.delegator === vote.onBehalfOf &&
      isFor(delegation, decision, tenant) &&
      latestMs >= delegation.fromMs &&
      latestMs <= delegation.untilMs + DECISION_VALID_FOR_MS,
  );
  return proven ? [...decision.roles, proven.role] : decision.roles;
}
