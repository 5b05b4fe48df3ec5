import type { ErasureStore } from '../../../domain/erasure/store-port.ts';
import { contentsErased } from '../audit-facts.ts';
import { COUNT_ERASABLE_AUDIT, erasingStatements, type JsonSql, SELECT_STORED_RESPONSES, selectErasable, toErasableRun, toStoredResponse } from '../erasure.ts';
import { integer, listLimit } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { findRunRow } from './run-store.ts';

const JSON_SQL: JsonSql = {
  merge: (column, changes) => `json_patch(${column}, ${changes})`,
  contains: (body, part) => `instr(${body}, ${part}) > 0`,
};

export function createErasureStore(db: Connection): ErasureStore {
  return {
    listErasable: async (filter) => {
      const { sql, parameters } = selectErasable({ ...filter, limit: listLimit(filter.limit) });
      return db.read(() => db.all(sql, parameters)).map(toErasableRun);
    },
    listStoredResponses: async (runKey) => db.read(() => db.all(SELECT_STORED_RESPONSES, { run: findRunRow(db, runKey) ?? -1 })).map(toStoredResponse),
    eraseRun: async (runKey, classes, { keepResponseIds = false } = {}) => {
      await db.write(() => {
        const run = findRunRow(db, runKey);
        if (run === null) return;
        const erasable = classes.includes('audit') ? integer(db.get(COUNT_ERASABLE_AUDIT, { run }) ?? {}, 'erasable') : 0;
        for (const sql of classes.flatMap((dataClass) => erasingStatements(dataClass, JSON_SQL, keepResponseIds))) db.run(sql, { run });
        if (erasable > 0) writeAudit(db, contentsErased(runKey, erasable));
      });
      db.forgetOldPages();
    },
  };
}
