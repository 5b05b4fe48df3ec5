import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { NotificationStore } from '../../../domain/notification/store-port.ts';
import {
  claimSql,
  COUNT,
  INSERT_NOTIFICATION,
  isReminderDue,
  notificationsOf,
  PRUNE,
  REPORT_DELIVERY,
  reminderId,
  SELECT_CLAIMED,
  SELECT_DEAD,
  SELECT_OPEN_GATES,
  toDead,
  toPending,
} from '../notification-sql.ts';
import { integer, integerOrNull, json, listLimit } from '../rows.ts';
import type { Database, Session } from './database.ts';

export function createNotificationStore(db: Database): NotificationStore {
  return {
    claimNotifications: ({ limit, leaseMs }) =>
      db.transaction(async (session) => {
        const nowMs = await session.nowMs();
        const rows = await session.all(claimSql('FOR UPDATE SKIP LOCKED'), { nowMs, until: nowMs + leaseMs, limit: listLimit(limit) });
        const claimed = await Promise.all(rows.map((row) => session.all(SELECT_CLAIMED, { id: integer(row, 'id') })));
        return claimed.flat().map(toPending);
      }),
    reportDelivery: async (eventId, tries, { state, status, retryAfterMs, lastError }) => {
      const nextAtMs = (await db.nowMs()) + retryAfterMs;
      await db.all(REPORT_DELIVERY, { eventId, tries, status, state: JSON.stringify(state), lastError, nextAtMs });
    },
    remindOfGates: async (limit) => {
      let reminded = 0;
      for (const gate of await dueGates(db, limit)) if (await remind(db, gate)) reminded += 1;
      return reminded;
    },
    pruneNotifications: async (beforeMs) => {
      await db.all(PRUNE, { beforeMs });
    },
    countNotifications: async () => {
      const row = (await db.get(COUNT)) ?? {};
      const counts = { pending: integer(row, 'pending'), dead: integer(row, 'dead'), oldestPendingAtMs: integerOrNull(row, 'oldest') };
      return { ...counts, someDead: (await db.all(SELECT_DEAD)).map(toDead) };
    },
  };
}

/** Tells of a gate that was opened or changed, in the caller's transaction. */
export async function notify(session: Session, before: GateRecord | null, after: GateRecord): Promise<void> {
  const rows = notificationsOf(before, after, 0);
  if (rows.length === 0) return;
  const atMs = await session.nowMs();
  for (const row of rows) await session.all(INSERT_NOTIFICATION, { ...row, atMs });
}

async function dueGates(db: Database, limit: number): Promise<GateRecord[]> {
  const due: GateRecord[] = [];
  const nowMs = await db.nowMs();
  for (let after = 0; due.length < limit; ) {
    const rows = await db.all(SELECT_OPEN_GATES, { after });
    const last = rows.at(-1);
    for (const gate of rows.map((row) => json<GateRecord>(row, 'gate_json')))
      if (isReminderDue(gate, nowMs) && !(await db.get('SELECT 1 AS known FROM notifications WHERE event_id = :eventId', { eventId: reminderId(gate) })))
        due.push(gate);
    if (!last || rows.length < 500) break;
    after = integer(last, 'id');
  }
  return due.slice(0, limit);
}

async function remind(session: Session, gate: GateRecord): Promise<boolean> {
  const { runKey, approvalId } = gate;
  const row = { ...runKey, approvalId, event: 'gateReminder', atMs: await session.nowMs(), eventId: reminderId(gate) };
  return (await session.get(`${INSERT_NOTIFICATION} RETURNING id`, row)) !== undefined;
}
