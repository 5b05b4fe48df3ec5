import { holdsRole } from '../../domain/approval/gate.ts';
import type { GateReport } from '../gate-report.ts';
import type { Caller } from './auth.ts';

type Asked = Pick<GateReport, 'role' | 'requester' | 'votes' | 'needs' | 'escalatesTo' | 'edits' | 'questions'>;

/**
 * Whether a gate, of a tenant that the caller may know of, is theirs to see and decide. For a person: one that asks for a
 * role they hold, that they asked for themselves, or that they had a part in. What a key may see, its scopes and its tenant say.
 */
export function isTheirs({ isPerson, identity }: Pick<Caller, 'isPerson' | 'identity'>, gate: Asked, nowMs: number): boolean {
  if (!isPerson) return true;
  if (rolesAsked(gate, nowMs).some((role) => holdsRole(identity.roles, role))) return true;
  const people = [
    ...gate.votes.map(({ approver }) => approver),
    ...(gate.edits ?? []).map(({ editor }) => editor),
    ...(gate.questions ?? []).map(({ by }) => by),
  ];
  return gate.requester === identity.name || people.includes(identity.name);
}

/** Those who are asked only later see it only then. */
function rolesAsked({ role, needs = [], escalatesTo }: Asked, nowMs: number): readonly string[] {
  const isEscalated = escalatesTo !== undefined && (escalatesTo.escalated || nowMs >= Date.parse(escalatesTo.at));
  return [role, ...needs.map((quorum) => quorum.role), ...(isEscalated ? [escalatesTo.role] : [])];
}
