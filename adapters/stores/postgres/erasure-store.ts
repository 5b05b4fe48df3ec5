import type { ErasureStore } from '../../../domain/erasure/store-port.ts';
import { contentsErased } from '../audit-facts.ts';
import { COUNT_ERASABLE_AUDIT, erasingStatements, type JsonSql, SELECT_STORED_RESPONSES, selectErasable, toErasableRun, toStoredResponse } from '../erasure.ts';
import { integer, listLimit } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Database } from './database.ts';
import { findRunRow } from './run-store.ts';

const JSON_SQL: JsonSql = {
  merge: (column, changes) => `(${column}::jsonb || ${changes}::jsonb)::text`,
  contains: (body, part) => `position(convert_to(${part}, 'UTF8') IN ${body}) > 0`,
};

export function createErasureStore(db: Database): ErasureStore {
  return {
    listErasable: async (filter) => {
      const { sql, parameters } = selectErasable({ ...filter, limit: listLimit(filter.limit) });
      return (await db.all(sql, parameters)).map(toErasableRun);
    },
    listStoredResponses: async (runKey) => (await db.all(SELECT_STORED_RESPONSES, { run: (await findRunRow(db, runKey)) ?? -1 })).map(toStoredResponse),
    eraseRun: (runKey, classes, { keepResponseIds = false } = {}) =>
      db.transaction(async (session) => {
        const run = await findRunRow(session, runKey);
        if (run === null) return;
        const erasable = classes.includes('audit') ? integer((await session.get(COUNT_ERASABLE_AUDIT, { run })) ?? {}, 'erasable') : 0;
        for (const sql of classes.flatMap((dataClass) => erasingStatements(dataClass, JSON_SQL, keepResponseIds))) await session.all(sql, { run });
        if (erasable > 0) await writeAudit(session, contentsErased(runKey, erasable));
      }),
  };
}
