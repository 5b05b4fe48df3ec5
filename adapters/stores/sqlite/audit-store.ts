import type { AgentRunId } from '../../../contracts/ids.ts';
import type { AuditEntry, AuditRecord, AuditStore } from '../../../domain/store/port.ts';
import { type Connection, integer, json, listLimit, type Row, text, textOrNull } from './connection.ts';
import { findRunRow } from './run-store.ts';

export function createAuditStore(db: Connection): AuditStore {
  return {
    appendAudit: async (entry) => {
      db.write(() => writeAudit(db, entry));
    },
    listAudit: async ({ runKey, afterSequence, limit }) =>
      db.read(() =>
        db
          .all(
            `SELECT audit.*, runs.agent_run_id, runs.first_execution_run_id FROM audit LEFT JOIN runs ON runs.id = audit.run
             WHERE sequence > :after ${runKey ? 'AND audit.run = :run' : ''} ORDER BY sequence LIMIT :limit`,
            { after: afterSequence ?? 0, limit: listLimit(limit), ...(runKey ? { run: findRunRow(db, runKey) ?? -1 } : {}) },
          )
          .map(toRecord),
      ),
  };
}

/** Appends inside the caller's transaction. */
export function writeAudit(db: Connection, { type, runKey, actor, data }: AuditEntry): void {
  const run = runKey ? findRunRow(db, runKey) : null;
  db.run('INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES (:run, :now, :type, :actor, :data)', {
    run,
    now: db.now(),
    type,
    actor,
    data: JSON.stringify(data),
  });
}

function toRecord(row: Row): AuditRecord {
  const agentRunId = textOrNull(row, 'agent_run_id');
  return {
    sequence: integer(row, 'sequence'),
    atMs: integer(row, 'at_ms'),
    type: text(row, 'type'),
    actor: text(row, 'actor'),
    data: json(row, 'data_json'),
    runKey: agentRunId === null ? null : { agentRunId: agentRunId as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
  };
}
