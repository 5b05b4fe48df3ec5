import type { AuditEntry, AuditStore } from '../../../domain/store/port.ts';
import { integerOrNull, listLimit, toAuditRecord } from '../rows.ts';
import { RUN_ROW, SELECT_AUDIT, SELECT_LAST_RESTORED } from '../sql.ts';
import type { Database, Session } from './database.ts';

/** Any number, the same everywhere. */
const AUDIT_LOCK = 7_351_001;

export function createAuditStore(db: Database): AuditStore {
  return {
    appendAudit: (entry) => db.transaction((session) => writeAudit(session, entry)),
    lastRestoredAtMs: async () => integerOrNull((await db.get(SELECT_LAST_RESTORED)) ?? {}, 'at_ms'),
    listAudit: async ({ runKey, afterSequence, limit }) => {
      const parameters = { ...runKey, after: afterSequence ?? 0, limit: listLimit(limit) };
      const ofRun = runKey ? `AND audit.run = ${RUN_ROW}` : '';
      return (await db.all(`${SELECT_AUDIT} WHERE sequence > :after ${ofRun} ORDER BY sequence LIMIT :limit`, parameters)).map(toAuditRecord);
    },
  };
}

/**
 * Appends inside the caller's transaction, as the last thing that it does: one writer at a time until its commit, so that
 * no entry appears below one that a reader has seen already.
 */
export async function writeAudit(session: Session, { type, runKey, actor, data }: AuditEntry): Promise<void> {
  await session.all(`SELECT pg_advisory_xact_lock(${AUDIT_LOCK})`);
  const { agentRunId = null, firstExecutionRunId = null } = runKey ?? {};
  await session.all(`INSERT INTO audit (run, at_ms, type, actor, data_json) VALUES (${RUN_ROW}, :now, :type, :actor, :data)`, {
    agentRunId,
    firstExecutionRunId,
    type,
    actor,
    data: JSON.stringify(data),
  });
}
