import { type GateRecord, holdsRole, isRequester, mayRequesterDecide, standingAt } from '../domain/approval/gate.ts';
import { describeVoter, personsOf } from '../domain/approval/persons.ts';
import { rolesOf, standingOf as standingAtGate } from '../domain/approval/quorum.ts';
import type { Identity } from './decision.ts';

/**
 * Whether a gate waits for this very person, and if not, why not. `overLimit`: they may deny it, and change it to less.
 * `countedAlready`: the person that they would stand for has decided, or somebody for that one.
 */
export type Standing = 'waitsForYou' | 'overLimit' | 'otherRole' | 'yourOwnRun' | 'youHaveDecided' | 'countedAlready' | 'closed';

/** Somebody who is away, and the role that they have delegated to the viewer. */
export interface StandsFor {
  readonly delegator: string;
  readonly role: string;
  /** Null: at gates of every tenant. */
  readonly tenant: string | null;
}

export interface Viewer {
  readonly identity: Identity;
  /** Whether who asked for a run may decide where the policy does not say. */
  readonly requesterMayDecide: boolean;
  /** Delegations that are in force now. */
  readonly standsFor?: readonly StandsFor[];
}

export interface ViewerStanding {
  readonly standing: Standing;
  /** Whose role a decision of the viewer would stand for, where it is not their own. */
  readonly onBehalfOf?: string;
}

/** A hint for the page alone: whether a decision counts, the gate says. */
export function standingOf(gate: GateRecord, viewer: Viewer, tenant: string, nowMs: number): ViewerStanding {
  const { identity } = viewer;
  if (gate.votes.some(({ approver }) => approver === identity.name)) return { standing: 'youHaveDecided' };
  if (gate.status !== 'open') return { standing: 'closed' };
  const at = standingAt(gate, nowMs);
  const asked = rolesOf(at);
  const holdsOne = asked.some((role) => holdsRole(identity.roles, role));
  const mayBeRequester = mayRequesterDecide(gate, viewer.requesterMayDecide);
  const standsFor = holdsOne ? null : delegationFor(gate, viewer, asked, tenant, mayBeRequester);
  const onBehalfOf = standsFor ? { onBehalfOf: standsFor.delegator } : {};
  const may = standingAtGate(standsFor ? [...identity.roles, standsFor.role] : identity.roles, at);
  if (may === 'wrongRole') return { standing: 'otherRole' };
  if (isRequester(gate, identity.name) && !mayBeRequester) return { standing: 'yourOwnRun' };
  if (countedBy(gate, [identity.name, ...(standsFor ? [standsFor.delegator] : [])]) !== null) return { standing: 'countedAlready', ...onBehalfOf };
  return { standing: may === 'overLimit' ? 'overLimit' : 'waitsForYou', ...onBehalfOf };
}

/** As the gate chooses it: the first one that it can use. */
function delegationFor(gate: GateRecord, { standsFor = [] }: Viewer, asked: readonly string[], tenant: string, mayBeRequester: boolean): StandsFor | null {
  const fits = (one: StandsFor) =>
    asked.includes(one.role) && (one.tenant === null || one.tenant === tenant) && (mayBeRequester || !isRequester(gate, one.delegator));
  return standsFor.find(fits) ?? null;
}

/** Whose vote speaks for one of these people already. */
function countedBy(gate: GateRecord, people: readonly string[]): string | null {
  const vote = gate.votes.find((one) => personsOf(one).some((person) => people.includes(person)));
  return vote ? describeVoter(vote) : null;
}
