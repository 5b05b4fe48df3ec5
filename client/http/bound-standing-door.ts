import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import type { RunsDoor } from '../runs-door.ts';
import { noDelegation, noStanding, noStop, type StandingDoor } from '../standing-door.ts';
import type { Caller } from './auth.ts';

const MAX_LISTED = 1_000;

/** A door to switches and grants that are the caller's tenant's own; what is of all tenants it may see and not change. */
export function bindStandingDoor(door: RunsDoor, store: Store, { tenant }: Pick<Caller, 'tenant'>): StandingDoor {
  const ofTenant = tenant === null ? {} : { tenant };
  const isOwn = (of: string | null | undefined) => tenant === null || of === tenant;

  /** @throws TollgateError `forbidden` where the caller asks for another tenant than its own, or for every one. */
  function demandOwn(of: string | null | undefined, what: string): void {
    if (isOwn(of)) return;
    throw new TollgateError('forbidden', `A key for the tenant "${tenant}" ${what} for that tenant only.`);
  }

  async function demandStop(stopId: string): Promise<void> {
    const stop = (await store.listStops(MAX_LISTED)).find((candidate) => candidate.stopId === stopId);
    if (!stop || !isOwn(stop.scope.tenant)) throw noStop(stopId);
  }

  async function demandStanding(standingId: string): Promise<void> {
    const state = await store.getStanding(standingId);
    if (!state || !isOwn(state.record.terms.tenant)) throw noStanding(standingId);
  }

  return {
    async throwStop({ tenant: asked, ...request }) {
      const of = asked ?? tenant;
      demandOwn(of, 'stops');
      return await door.throwStop({ ...request, tenant: of });
    },
    async liftStop(stopId, reason) {
      await demandStop(stopId);
      return await door.liftStop(stopId, reason);
    },
    stops: (filter = {}) => door.stops({ ...filter, ...ofTenant }),
    async grantStanding(request) {
      demandOwn(request.tenant, 'grants standing approvals');
      return await door.grantStanding(request);
    },
    async signStanding(standingId, options) {
      await demandStanding(standingId);
      return await door.signStanding(standingId, options);
    },
    async standing(standingId) {
      await demandStanding(standingId);
      return await door.standing(standingId);
    },
    standings: (filter = {}) => door.standings({ ...filter, ...ofTenant }),
    async revokeStanding(standingId, reason) {
      await demandStanding(standingId);
      return await door.revokeStanding(standingId, reason);
    },
    async delegate(request) {
      demandOwn(request.tenant, 'delegates');
      return await door.delegate(request);
    },
    delegations: (filter = {}) => door.delegations({ ...filter, ...ofTenant }),
    async revokeDelegation(delegationId, reason) {
      const record = await store.getDelegation(delegationId);
      if (!record || !isOwn(record.delegation.tenant)) throw noDelegation(delegationId);
      return await door.revokeDelegation(delegationId, reason);
    },
  };
}
