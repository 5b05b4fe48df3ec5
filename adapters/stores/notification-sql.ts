import { randomUUID } from 'node:crypto';
import type { ApprovalId, AgentRunId } from '../../contracts/ids.ts';
import type { NotificationEvent } from '../../contracts/notification.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { eventsOf } from '../../domain/notification/events.ts';
import type { DeadNotification, PendingNotification } from '../../domain/notification/store-port.ts';
import { integer, json, type Row, text } from './rows.ts';

/** The outbox, in SQL that reads the same in both stores. A lease is a `next_at_ms` in the future. */

export function notificationTables({ integer: int, id, table }: { readonly integer: string; readonly id: string; readonly table: string }): string {
  return `
  CREATE TABLE notifications (
    id ${id},
    event_id TEXT NOT NULL UNIQUE,
    run ${int} NOT NULL REFERENCES runs (id),
    approval_id TEXT NOT NULL,
    event TEXT NOT NULL,
    at_ms ${int} NOT NULL,
    status TEXT NOT NULL DEFAULT 'pending',
    tries ${int} NOT NULL DEFAULT 0,
    next_at_ms ${int} NOT NULL,
    state_json TEXT NOT NULL DEFAULT '{"delivered":[],"dead":{}}',
    last_error TEXT
  )${table};
  CREATE INDEX notifications_due ON notifications (next_at_ms, id) WHERE status = 'pending';
  CREATE INDEX notifications_ended ON notifications (status, at_ms);
  CREATE INDEX notifications_by_run ON notifications (run);`;
}

export const INSERT_NOTIFICATION = `INSERT INTO notifications (event_id, run, approval_id, event, at_ms, next_at_ms)
  SELECT :eventId, id, :approvalId, :event, :atMs, :atMs FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId
  ON CONFLICT DO NOTHING`;

/** The rows that a change of a gate writes, in its transaction. A reminder is one of its gate, whoever finds it due. */
export function notificationsOf(before: GateRecord | null, after: GateRecord, atMs: number) {
  const { runKey, approvalId } = after;
  return eventsOf(before, after).map((event) => ({ ...runKey, approvalId, event, atMs, eventId: event === 'gateReminder' ? reminderId(after) : randomUUID() }));
}

export function reminderId({ runKey, approvalId }: Pick<GateRecord, 'runKey' | 'approvalId'>): string {
  return `reminder-${runKey.firstExecutionRunId}-${approvalId}`;
}

export const claimSql = (lock: string): string => `UPDATE notifications SET next_at_ms = :until, tries = tries + 1 WHERE id IN
    (SELECT id FROM notifications WHERE status = 'pending' AND next_at_ms <= :nowMs ORDER BY next_at_ms, id LIMIT :limit ${lock})
  RETURNING id`;
export const SELECT_CLAIMED = `SELECT notifications.*, runs.agent_run_id, runs.first_execution_run_id, runs.tenant
  FROM notifications JOIN runs ON runs.id = notifications.run WHERE notifications.id = :id`;
export const REPORT_DELIVERY = `UPDATE notifications SET status = :status, state_json = :state, last_error = :lastError, next_at_ms = :nextAtMs
  WHERE event_id = :eventId AND tries = :tries AND status = 'pending'`;
/** Open gates, whoever looks at them; which are due is for the rule to say. */
export const SELECT_OPEN_GATES = `SELECT id, gate_json FROM gates WHERE status = 'open' AND id > :after ORDER BY id LIMIT 500`;
export const PRUNE = "DELETE FROM notifications WHERE status = 'done' AND at_ms < :beforeMs";
export const COUNT = `SELECT (SELECT count(*) FROM notifications WHERE status = 'pending') AS pending,
  (SELECT count(*) FROM notifications WHERE status = 'dead') AS dead,
  (SELECT min(at_ms) FROM notifications WHERE status = 'pending') AS oldest`;
export const SELECT_DEAD = "SELECT event_id, approval_id, state_json FROM notifications WHERE status = 'dead' ORDER BY id DESC LIMIT 5";

/** Where the gate's own policy does not say: a tenth of its time is left. */
const REMIND_AT_FRACTION = 0.9;

export function isReminderDue({ createdAtMs, expiresAtMs, remindsAtMs, remindedAtMs }: GateRecord, nowMs: number): boolean {
  if (remindedAtMs !== undefined || nowMs >= expiresAtMs) return false;
  return nowMs >= (remindsAtMs ?? createdAtMs + (expiresAtMs - createdAtMs) * REMIND_AT_FRACTION);
}

export function toPending(row: Row): PendingNotification {
  return {
    eventId: text(row, 'event_id'),
    event: text(row, 'event') as NotificationEvent,
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    tenant: text(row, 'tenant'),
    approvalId: text(row, 'approval_id') as ApprovalId,
    atMs: integer(row, 'at_ms'),
    tries: integer(row, 'tries'),
    state: json(row, 'state_json'),
  };
}

export function toDead(row: Row): DeadNotification {
  return { eventId: text(row, 'event_id'), approvalId: text(row, 'approval_id'), dead: json<PendingNotification['state']>(row, 'state_json').dead };
}
