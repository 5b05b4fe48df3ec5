import type { GatePolicy, Quorum } from '../../contracts/gate-policy.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { allHold } from './conditions.ts';

/** What decides whether a person counts for a role at a gate. */
export interface Standing {
  readonly policy: GatePolicy;
  readonly arguments: JsonValue;
  /** Whether holders of the role that the policy escalates to may decide by now. */
  readonly isEscalated: boolean;
}

/** Whether `roles` contain `role`, or `*`, which the local development key gives to `developer`. */
export function holdsRole(roles: readonly string[], role: string): boolean {
  return roles.includes(role) || roles.includes('*');
}

/** One at least, whatever policy the row has: somebody has signed for every action. */
export function quorumsOf({ role, approvers, needs = [] }: GatePolicy): readonly Quorum[] {
  return [{ role, approvers: Math.max(1, approvers) }, ...needs];
}

/** How many people must approve, over all roles. */
export function seatsOf(policy: GatePolicy): number {
  return quorumsOf(policy).reduce((sum, { approvers }) => sum + approvers, 0);
}

/** Whether a person with these roles may decide at all; `overLimit` where only the limit of their role stands in the way. */
export function standingOf(roles: readonly string[], standing: Standing): 'may' | 'overLimit' | 'wrongRole' {
  const held = rolesOf(standing).filter((role) => holdsRole(roles, role));
  if (held.length === 0) return 'wrongRole';
  return held.some((role) => isWithinLimit(role, standing)) ? 'may' : 'overLimit';
}

/** The roles that may decide, each once. */
export function rolesOf({ policy, isEscalated }: Pick<Standing, 'policy' | 'isEscalated'>): readonly string[] {
  const escalated = isEscalated && policy.escalateTo ? [policy.escalateTo.role] : [];
  return [...new Set([...quorumsOf(policy).map(({ role }) => role), ...escalated])];
}

/** What can't be told from the arguments does not lie within a limit. */
function isWithinLimit(role: string, { policy, arguments: args }: Standing): boolean {
  return (policy.limits ?? []).every((limit) => limit.role !== role || allHold(limit.when, args) === 'yes');
}

/**
 * The most seats that these people fill, each person one. A person who holds two roles counts for the one where they are
 * needed (an augmenting path, as in bipartite matching).
 */
export function seatsFilled(people: readonly (readonly string[])[], standing: Standing): number {
  const seats = quorumsOf(standing.policy).flatMap(({ role, approvers }) => Array.from({ length: approvers }, () => role));
  const takenBy = new Map<number, number>();
  const sit = (person: number, tried: Set<number>): boolean => {
    for (const [seat, role] of seats.entries()) {
      if (tried.has(seat) || !countsFor(people[person] ?? [], role, standing)) continue;
      tried.add(seat);
      const other = takenBy.get(seat);
      if (other === undefined || sit(other, tried)) {
        takenBy.set(seat, person);
        return true;
      }
    }
    return false;
  };
  return people.filter((_roles, person) => sit(person, new Set())).length;
}

/** Holders of the role escalated to stand in for any other. */
function countsFor(roles: readonly string[], role: string, standing: Standing): boolean {
  const { escalateTo } = standing.policy;
  const roleHeld = holdsRole(roles, role) && isWithinLimit(role, standing);
  return roleHeld || (standing.isEscalated && escalateTo !== undefined && holdsRole(roles, escalateTo.role) && isWithinLimit(escalateTo.role, standing));
}
