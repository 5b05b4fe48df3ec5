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
import { writeAudit } from './audit-store.ts';
import { controlOf } from './repair-store.ts';
import type { Database, Session } from './database.ts';

/** Any number, the same everywhere: actions share it while they begin, and whoever throws a switch waits until none is about to. */
const STOP_LOCK = 7_351_002;

export function createStopStore(db: Database): StopStore {
  return {
    throwStop: (stop) =>
      db.transaction(async (session) => {
        await excludeActions(session);
        await session.all(sql.UPSERT_STOP, sql.stopParameters(stop));
        const { stopId, scope, models, reason } = stop;
        await writeAudit(session, { type: 'stop.thrown', runKey: null, actor: stop.actor, data: { stopId, scope, models, reason } });
      }),
    liftStop: (stopId, resume) =>
      db.transaction(async (session) => {
        const row = await session.get(`${sql.SELECT_STOP} FOR NO KEY UPDATE`, { stopId });
        if (!row) return null;
        const stop = sql.toStop(row);
        const lifted: StopRecord = { ...stop, resume };
        await session.all(sql.UPDATE_STOP, { stopId, stop: JSON.stringify(lifted) });
        await writeAudit(session, { type: 'stop.lifted', runKey: null, actor: resume.actor, data: { stopId, scope: stop.scope, reason: resume.reason } });
        return lifted;
      }),
    listStops: async (limit) => (await db.all(sql.SELECT_STOPS, { limit: listLimit(limit) })).map(sql.toStop),
    stopsFor: (runKey, tool) => stopsFor(db, runKey, tool),
  };
}

export function createGrantStore(db: Database): GrantStore {
  return {
    createStanding: (record, actor) =>
      db.transaction(async (session) => {
        if (!(await session.get(sql.INSERT_STANDING, sql.standingParameters(record)))) return false;
        await writeAudit(session, { type: 'standing.granted', runKey: null, actor, data: sql.grantedData(record) });
        return true;
      }),
    addStandingGrant: (standingId, signed, actor) =>
      db.transaction(async (session) => {
        const before = (await lockStanding(session, standingId))?.record;
        const after = before && sql.withGrant(before, signed);
        if (!before || !after) return before ?? null;
        await session.all(sql.UPDATE_STANDING, { standingId, record: JSON.stringify(after) });
        await writeAudit(session, { type: 'standing.granted', runKey: null, actor, data: sql.grantedData(after) });
        return after;
      }),
    getStanding: async (standingId) => {
      const row = await db.get(sql.SELECT_STANDING, { standingId });
      return row ? sql.toStanding(row) : null;
    },
    listStandings: async ({ limit, live, ...filter }) =>
      (await db.all(sql.selectStandings({ ...filter, ...(live ? { live } : {}) }), { ...filter, limit: listLimit(limit) })).map(sql.toStanding),
    listStandingUses: async (standingId, limit) => (await db.all(sql.SELECT_STANDING_USES, { standingId, limit: listLimit(limit) })).map(sql.toStandingUse),
    createDelegation: (record) =>
      db.transaction(async (session) => {
        if (!(await session.get(sql.INSERT_DELEGATION, sql.delegationParameters(record)))) return false;
        const { delegationId, to, role, tenant, fromMs, untilMs, delegator } = record.delegation;
        await writeAudit(session, { type: 'delegation.given', runKey: null, actor: delegator, data: { delegationId, to, role, tenant, fromMs, untilMs } });
        return true;
      }),
    getDelegation: async (delegationId) => {
      const row = await db.get(sql.SELECT_DELEGATION, { delegationId });
      return row ? sql.toDelegation(row) : null;
    },
    listDelegations: async ({ limit, live, ...filter }) =>
      (await db.all(sql.selectDelegations({ ...filter, ...(live ? { live } : {}) }), { ...filter, limit: listLimit(limit) })).map(sql.toDelegation),
    revoke: (revocation) =>
      db.transaction(async (session) => {
        const { of: subject, actor, reason } = revocation;
        // Behind whoever is using it right now.
        await lockStanding(session, subject);
        if (!(await session.get(sql.INSERT_REVOCATION, { subject, revocation: JSON.stringify(revocation) }))) return;
        await writeAudit(session, { type: 'grant.revoked', runKey: null, actor, data: { of: subject, reason } });
      }),
    listRevoked: async (ids) => {
      const rows = await Promise.all(ids.map((subject) => db.get(sql.SELECT_REVOCATION, { subject })));
      return rows.flatMap((row) => sql.toRevocation(row) ?? []);
    },
  };
}

async function stopsFor(session: Session, runKey: RunKey, tool: string | null): Promise<StopRecord[]> {
  return (await session.all(sql.SELECT_STOPS_FOR, { ...runKey, tool: tool ?? '' })).map(sql.toStop);
}

/** Locked first and counted after: whoever waited for the lock counts what was used meanwhile. */
async function lockStanding(session: Session, standingId: string): Promise<StandingState | null> {
  const locked = await session.get('SELECT id FROM standing_approvals WHERE standing_id = :standingId FOR NO KEY UPDATE', { standingId });
  const row = locked && (await session.get(sql.SELECT_STANDING, { standingId }));
  return row ? sql.toStanding(row) : null;
}

/** Waits until no action is about to begin, and lets none begin before the end of the transaction. Taken before anything else. */
export async function excludeActions(session: Session): Promise<void> {
  await session.all(`SELECT pg_advisory_xact_lock(${STOP_LOCK})`);
}

/** Taken before anything else by whoever begins an action. */
export async function holdStops(session: Session): Promise<void> {
  await session.all(`SELECT pg_advisory_xact_lock_shared(${STOP_LOCK})`);
}

/** What the rule about an action is asked with, inside the transaction that writes its intent. */
export async function actionFacts(session: Session, { runKey, standing }: GateRecord, tool: string): Promise<ActionFacts> {
  return {
    stops: await stopsFor(session, runKey, tool),
    standing: standing ? await lockStanding(session, standing.standingId) : null,
    pausedBy: (await controlOf(session, runKey)).pausedBy,
  };
}

/** Books one use of a gate's standing approval, audited: the last thing of its transaction. */
export async function useStanding(session: Session, run: number, { runKey, approvalId, standing }: GateRecord, amountMicro: number | undefined): Promise<void> {
  if (!standing || amountMicro === undefined) return;
  const { standingId } = standing;
  const booked = await session.get(sql.INSERT_STANDING_USE, { run, approvalId, amountMicro, standingId });
  invariant(booked, `the standing approval ${standingId} that permits an action is in the store`);
  await writeAudit(session, { type: 'standing.used', runKey, actor: 'tollgate', data: { standingId, approvalId, amountMicro } });
}
