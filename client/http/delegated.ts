import type { Store } from '../../domain/store/port.ts';
import type { StandsFor } from '../gate-standing.ts';
import type { Caller } from './auth.ts';

const MAX_DELEGATIONS = 100;

/** What others have delegated to the caller, as it is in force now. */
export async function delegatedTo(store: Store, { identity, tenant }: Pick<Caller, 'identity' | 'tenant'>): Promise<readonly StandsFor[]> {
  const delegations = await store.listDelegations({ to: identity.name, live: true, limit: MAX_DELEGATIONS, ...(tenant === null ? {} : { tenant }) });
  return delegations.map(({ delegation: { delegator, role, tenant: of } }) => ({ delegator, role, tenant: of }));
}

/** The caller with the roles that others have delegated: for what they may see. What they decide is signed with their own roles. */
export function withDelegated<Who extends Pick<Caller, 'identity'>>(caller: Who, standsFor: readonly StandsFor[]): Who {
  const { identity } = caller;
  return { ...caller, identity: { ...identity, roles: [...identity.roles, ...standsFor.map(({ role }) => role)] } };
}
