import type { Delegation, SignedStatement } from '../../contracts/statement.ts';
import type { ProvenDelegation } from '../../domain/approval/delegation.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { ActivityPorts } from '../ports.ts';

const MAX_DELEGATIONS = 100;

/** Who stands for whom at a gate, proven. */
export interface Stands {
  readonly tenant: string;
  readonly delegations: readonly ProvenDelegation[];
}

export const NOBODY_STANDS: Stands = { tenant: '', delegations: [] };

/** The delegations to a person that may count at a gate of `tenant`. */
export async function delegationsTo(ports: ActivityPorts, to: string, tenant: string): Promise<Stands> {
  const records = await ports.store.listDelegations({ to, tenant, live: true, limit: MAX_DELEGATIONS });
  return {
    tenant,
    delegations: await proven(
      ports,
      records.map(({ signed }) => signed),
    ),
  };
}

/** Those that the votes of a gate name. One that was revoked since proves nothing; one that has ended since did when it was used. */
export async function delegationsOf(ports: ActivityPorts, gate: Pick<GateRecord, 'votes'>, tenant: string): Promise<Stands> {
  const signed = gate.votes.flatMap(({ delegation }) => delegation ?? []);
  return signed.length === 0 ? { tenant, delegations: [] } : { tenant, delegations: await proven(ports, signed) };
}

async function proven({ store, verifier }: ActivityPorts, signed: readonly SignedStatement[]): Promise<readonly ProvenDelegation[]> {
  const read = signed.flatMap((form): ProvenDelegation[] => {
    const said = verifier.readStatement(form);
    return said?.statement === 'delegation' ? [{ ...said, signed: form }] : [];
  });
  if (read.length === 0) return [];
  const [revoked, restoredAtMs] = await Promise.all([store.listRevoked(read.map(({ delegationId }) => delegationId)), store.lastRestoredAtMs()]);
  const isRevoked = ({ delegationId }: Delegation) => revoked.some(({ of }) => of === delegationId);
  // Whether one was revoked after the backup that the store was filled from is not known.
  return read.filter((delegation) => !isRevoked(delegation) && (restoredAtMs === null || delegation.issuedAtMs > restoredAtMs));
}
