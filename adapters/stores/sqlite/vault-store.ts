import type { RunKey } from '../../../contracts/ids.ts';
import type { RedactionRecord, VaultStore } from '../../../domain/redaction/store-port.ts';
import { toRedactionCount, toVaultRecord } from '../rows.ts';
import { ADD_REDACTION_COUNT, INSERT_VAULT, SELECT_RUN_REDACTIONS, SELECT_TENANT_REDACTIONS, SELECT_VAULT, SELECT_VAULT_RIVAL } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createVaultStore(db: Connection): VaultStore {
  return {
    listVault: async (runKey, after = 0) => db.read(() => db.all(SELECT_VAULT, { run: findRunRow(db, runKey) ?? -1, after }).map(toVaultRecord)),
    recordRedaction: async (runKey, record) => db.write(() => recordRedaction(db, runKey, record)),
    countRedactions: async (filter) => {
      const rows = () =>
        'tenant' in filter
          ? db.all(SELECT_TENANT_REDACTIONS, { tenant: filter.tenant })
          : db.all(SELECT_RUN_REDACTIONS, { run: findRunRow(db, filter.runKey) ?? -1 });
      return db.read(rows).map(toRedactionCount);
    },
  };
}

function recordRedaction(db: Connection, runKey: RunKey, { entries, counts, audit }: RedactionRecord): 'recorded' | 'conflict' {
  const run = runRow(db, runKey);
  const rivals = entries.map(({ token, valueHash }) => ({ valueHash, token, rows: db.all(SELECT_VAULT_RIVAL, { run, token, valueHash }) }));
  if (rivals.some(({ rows, token, valueHash }) => rows.some((row) => row.token !== token || row.value_hash !== valueHash))) return 'conflict';
  const known = new Set(rivals.flatMap(({ rows, token }) => (rows.length > 0 ? [token] : [])));
  for (const { token, type, valueHash, sealed } of entries) if (!known.has(token)) db.run(INSERT_VAULT, { run, token, type, valueHash, sealed, now: db.now() });
  for (const { place, type, action, count } of counts) db.run(ADD_REDACTION_COUNT, { run, place, type, action, count });
  if (audit) writeAudit(db, audit);
  return 'recorded';
}
