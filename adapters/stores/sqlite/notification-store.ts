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
import type { Connection } from './connection.ts';

export function createNotificationStore(db: Connection): NotificationStore {
  return {
    claimNotifications: async ({ limit, leaseMs }) =>
      db.write(() => {
        const nowMs = db.now();
        const rows = db.all(claimSql(''), { nowMs, until: nowMs + leaseMs, limit: listLimit(limit) });
        return rows.flatMap((row) => db.all(SELECT_CLAIMED, { id: integer(row, 'id') })).map(toPending);
      }),
    reportDelivery: async (eventId, tries, { state, status, retryAfterMs, lastError }) => {
      await db.write(() => db.run(REPORT_DELIVERY, { eventId, tries, status, state: JSON.stringify(state), lastError, nextAtMs: db.now() + retryAfterMs }));
    },
    remindOfGates: async (limit) => {
      const due = dueGates(db, limit);
      return due.length === 0 ? 0 : await db.write(() => due.filter((gate) => remind(db, gate)).length);
    },
    pruneNotifications: async (beforeMs) => {
      await db.write(() => db.run(PRUNE, { beforeMs }));
    },
    countNotifications: async () =>
      db.read(() => {
        const row = db.get(COUNT) ?? {};
        const counts = { pending: integer(row, 'pending'), dead: integer(row, 'dead'), oldestPendingAtMs: integerOrNull(row, 'oldest') };
        return { ...counts, someDead: db.all(SELECT_DEAD).map(toDead) };
      }),
  };
}

/** Tells of a gate that was opened or changed, in the caller's transaction. */
export function notify(db: Connection, before: GateRecord | null, after: GateRecord): void {
  for (const row of notificationsOf(before, after, db.now())) db.run(INSERT_NOTIFICATION, row);
}

function dueGates(db: Connection, limit: number): GateRecord[] {
  const due: GateRecord[] = [];
  const nowMs = db.now();
  for (let after = 0; due.length < limit; ) {
    const rows = db.read(() => db.all(SELECT_OPEN_GATES, { after }));
    const last = rows.at(-1);
    for (const gate of rows.map((row) => json<GateRecord>(row, 'gate_json')))
      if (isReminderDue(gate, nowMs) && !db.get('SELECT 1 FROM notifications WHERE event_id = :eventId', { eventId: reminderId(gate) })) due.push(gate);
    if (!last || rows.length < 500) break;
    after = integer(last, 'id');
  }
  return due.slice(0, limit);
}

function remind(db: Connection, gate: GateRecord): boolean {
  const { runKey, approvalId } = gate;
  return db.run(INSERT_NOTIFICATION, { ...runKey, approvalId, event: 'gateReminder', atMs: db.now(), eventId: reminderId(gate) }) > 0;
}
