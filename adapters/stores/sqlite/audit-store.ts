import type { AuditEntry, AuditStore } from '../../../domain/store/port.ts';
import { integerOrNull, listLimit, toAuditRecord } from '../rows.ts';
import { SELECT_AUDIT, SELECT_LAST_RESTORED } from '../sql.ts';
import type { Connection } from './connection.ts';
import { findRunRow } from './run-store.ts';

export function createAuditStore(db: Connection): AuditStore {
  return {
    appendAudit: async (entry) => {
      await db.write(() => writeAudit(db, entry));
    },
    lastRestoredAtMs: async () => integerOrNull(db.read(() => db.get(SELECT_LAST_RESTORED)) ?? {}, 'at_ms'),
    listAudit: async ({ runKey, afterSequence, limit }) =>
      db.read(() =>
        db
          .all(`${SELECT_AUDIT} WHERE sequence > :after ${runKey ? 'AND audit.run = :run' : ''} ORDER BY sequence LIMIT :limit`, {
            after: afterSequence ?? 0,
            limit: listLimit(limit),
            ...(runKey ? { run: findRunRow(db, runKey) ?? -1 } : {}),
          })
          .map(toAuditRecord),
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
