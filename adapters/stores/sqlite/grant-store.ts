import { invariant } from '../../../contracts/failures.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { ActionFacts } from '../../../domain/approval/action-facts.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { GrantStore } from '../../../domain/approval/grant-store-port.ts';
import type { StandingState } from '../../../domain/approval/standing.ts';
import type { StopRecord } from '../../../domain/approval/stop.ts';
import type { StopStore } from '../../../domain/approval/stop-store-port.ts';
import * as sql from '../grant-tables.ts';
import { listLimit } from '../rows.ts';
import { controlOf } from './repair-store.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection, Parameters } from './connection.ts';

export function createStopStore(db: Connection): StopStore {
  return {
    throwStop: async (stop) =>
      db.write(() => {
        db.run(sql.UPSERT_STOP, sql.stopParameters(stop));
        const { stopId, scope, models, reason } = stop;
        writeAudit(db, { type: 'stop.thrown', runKey: null, actor: stop.actor, data: { stopId, scope, models, reason } });
      }),
    liftStop: async (stopId, resume) =>
      db.write(() => {
        const row = db.get(sql.SELECT_STOP, { stopId });
        if (!row) return null;
        const stop = sql.toStop(row);
        const lifted: StopRecord = { ...stop, resume };
        db.run(sql.UPDATE_STOP, { stopId, stop: JSON.stringify(lifted) });
        writeAudit(db, { type: 'stop.lifted', runKey: null, actor: resume.actor, data: { stopId, scope: stop.scope, reason: resume.reason } });
        return lifted;
      }),
    listStops: async (limit) => db.read(() => db.all(sql.SELECT_STOPS, { limit: listLimit(limit) }).map(sql.toStop)),
    stopsFor: async (runKey, tool) => db.readOne(() => stopsFor(db, runKey, tool)),
  };
}

export function createGrantStore(db: Connection): GrantStore {
  return {
    createStanding: async (record, actor) =>
      db.write(() => {
        if (!db.get(sql.INSERT_STANDING, sql.standingParameters(record))) return false;
        writeAudit(db, { type: 'standing.granted', runKey: null, actor, data: sql.grantedData(record) });
        return true;
      }),
    addStandingGrant: async (standingId, signed, actor) =>
      db.write(() => {
        const before = standingOf(db, standingId)?.record;
        const after = before && sql.withGrant(before, signed);
        if (!before || !after) return before ?? null;
        db.run(sql.UPDATE_STANDING, { standingId, record: JSON.stringify(after) });
        writeAudit(db, { type: 'standing.granted', runKey: null, actor, data: sql.grantedData(after) });
        return after;
      }),
    getStanding: async (standingId) => db.read(() => standingOf(db, standingId)),
    listStandings: async ({ limit, live, ...filter }) =>
      db.read(() =>
        db.all(sql.selectStandings({ ...filter, ...(live ? { live } : {}) }), { ...filter, ...ifLive(db, live), limit: listLimit(limit) }).map(sql.toStanding),
      ),
    listStandingUses: async (standingId, limit) =>
      db.read(() => db.all(sql.SELECT_STANDING_USES, { standingId, limit: listLimit(limit) }).map(sql.toStandingUse)),
    createDelegation: async (record) =>
      db.write(() => {
        if (!db.get(sql.INSERT_DELEGATION, sql.delegationParameters(record))) return false;
        const { delegationId, to, role, tenant, fromMs, untilMs, delegator } = record.delegation;
        writeAudit(db, { type: 'delegation.given', runKey: null, actor: delegator, data: { delegationId, to, role, tenant, fromMs, untilMs } });
        return true;
      }),
    getDelegation: async (delegationId) => {
      const row = db.read(() => db.get(sql.SELECT_DELEGATION, { delegationId }));
      return row ? sql.toDelegation(row) : null;
    },
    listDelegations: async ({ limit, live, ...filter }) =>
      db.read(() =>
        db
          .all(sql.selectDelegations({ ...filter, ...(live ? { live } : {}) }), { ...filter, ...ifLive(db, live), limit: listLimit(limit) })
          .map(sql.toDelegation),
      ),
    revoke: async (revocation) =>
      db.write(() => {
        const { of: subject, actor, reason } = revocation;
        if (!db.get(sql.INSERT_REVOCATION, { subject, revocation: JSON.stringify(revocation) })) return;
        writeAudit(db, { type: 'grant.revoked', runKey: null, actor, data: { of: subject, reason } });
      }),
    listRevoked: async (ids) => db.read(() => ids.flatMap((subject) => sql.toRevocation(db.get(sql.SELECT_REVOCATION, { subject })) ?? [])),
  };
}

function ifLive(db: Connection, live: boolean | undefined): Parameters {
  return live ? { now: db.now() } : {};
}

function stopsFor(db: Connection, runKey: RunKey, tool: string | null): StopRecord[] {
  return db.all(sql.SELECT_STOPS_FOR, { ...runKey, tool: tool ?? '' }).map(sql.toStop);
}

function standingOf(db: Connection, standingId: string): StandingState | null {
  const row = db.get(sql.SELECT_STANDING, { standingId });
  return row ? sql.toStanding(row) : null;
}

/** What the rule about an action is asked with, inside the transaction that writes its intent. */
export function actionFacts(db: Connection, { runKey, standing }: GateRecord, tool: string): ActionFacts {
  return { stops: stopsFor(db, runKey, tool), standing: standing ? standingOf(db, standing.standingId) : null, pausedBy: controlOf(db, runKey).pausedBy };
}

/** Books one use of a gate's standing approval, audited. */
export function useStanding(db: Connection, run: number, { runKey, approvalId, standing }: GateRecord, amountMicro: number | undefined): void {
  if (!standing || amountMicro === undefined) return;
  const { standingId } = standing;
  const booked = db.get(sql.INSERT_STANDING_USE, { run, approvalId, amountMicro, standingId, now: db.now() });
  invariant(booked, `the standing approval ${standingId} that permits an action is in the store`);
  writeAudit(db, { type: 'standing.used', runKey, actor: 'tollgate', data: { standingId, approvalId, amountMicro } });
}
