import type { AgentRunId, AttemptId, RunKey } from '../../contracts/ids.ts';
import type { Repair } from '../../contracts/repair.ts';
import type { RepairRecord, RunControl } from '../../domain/repair/store-port.ts';
import { integer, json, type Row, text, textOrNull } from './rows.ts';

/** The table of repairs, and what holds a run: the same in both stores but for the names of types. */
export function repairTables({ integer: number, id, table }: { readonly integer: string; readonly id: string; readonly table: string }): string {
  return `
  ALTER TABLE runs ADD COLUMN paused_at_ms ${number};
  ALTER TABLE runs ADD COLUMN skipped_reply_id TEXT;
  CREATE INDEX runs_paused ON runs (id) WHERE paused_at_ms IS NOT NULL;
  CREATE TABLE repairs (
    id ${id},
    run ${number} NOT NULL REFERENCES runs (id),
    repair_id TEXT NOT NULL,
    repair_json TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    is_unverified ${number} NOT NULL,
    at_ms ${number} NOT NULL,
    UNIQUE (run, repair_id)
  )${table};
  `;
}

const REPAIR_COLUMNS = 'repair_id, repair_json, actor, reason, is_unverified, at_ms';
export const INSERT_REPAIR = `INSERT INTO repairs (run, ${REPAIR_COLUMNS}) VALUES (:run, :repairId, :repair, :actor, :reason, :isUnverified, :now)`;
export const SELECT_REPAIR = `SELECT ${REPAIR_COLUMNS} FROM repairs WHERE run = :run AND repair_id = :repairId`;
export const SELECT_REPAIRS = `SELECT ${REPAIR_COLUMNS} FROM repairs WHERE run = :run ORDER BY id`;
/** What a repair is judged by. */
export const RUN_UNDER_REPAIR = 'end_json, paused_at_ms, (SELECT count(*) FROM repairs WHERE repairs.run = runs.id) AS repairs';
export const PAUSE_RUN = 'UPDATE runs SET paused_at_ms = :now WHERE id = :run';
export const RESUME_RUN = 'UPDATE runs SET paused_at_ms = NULL WHERE id = :run';
export const SKIP_REPLY = 'UPDATE runs SET skipped_reply_id = :replyAttemptId WHERE id = :run';

/** A run that is paused holds back those that belong to it. Few runs are: they are looked at first, by their index. */
export const SELECT_CONTROL = `SELECT own.skipped_reply_id,
    (SELECT held.agent_run_id FROM runs AS held WHERE held.paused_at_ms IS NOT NULL AND held.status = 'running' AND (held.id = own.id OR EXISTS (
      SELECT 1 FROM run_scopes JOIN scopes ON scopes.id = run_scopes.scope
      WHERE run_scopes.run = own.id AND run_scopes.kind = 'parent' AND scopes.scope_key = held.agent_run_id || '/' || held.first_execution_run_id)) LIMIT 1) AS paused_by
  FROM runs AS own WHERE own.agent_run_id = :agentRunId AND own.first_execution_run_id = :firstExecutionRunId`;

export function toControl(row: Row | undefined): RunControl {
  return {
    pausedBy: textOrNull(row ?? {}, 'paused_by') as AgentRunId | null,
    skippedReplyId: textOrNull(row ?? {}, 'skipped_reply_id') as AttemptId | null,
  };
}

export function toRepair(row: Row, runKey: RunKey): RepairRecord {
  return {
    runKey,
    repairId: text(row, 'repair_id'),
    repair: json<Repair>(row, 'repair_json'),
    actor: text(row, 'actor'),
    reason: text(row, 'reason'),
    isUnverified: integer(row, 'is_unverified') === 1,
    atMs: integer(row, 'at_ms'),
  };
}

export function repairParameters({ repairId, repair, actor, reason, isUnverified }: Omit<RepairRecord, 'atMs'>) {
  return { repairId, repair: JSON.stringify(repair), actor, reason, isUnverified: isUnverified ? 1 : 0 };
}
