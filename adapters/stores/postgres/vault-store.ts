import type { RunKey } from '../../../contracts/ids.ts';
import type { RedactionRecord, VaultStore } from '../../../domain/redaction/store-port.ts';
import { integer, toRedactionCount, toVaultRecord } from '../rows.ts';
import { ADD_REDACTION_COUNT, INSERT_VAULT, SELECT_RUN_REDACTIONS, SELECT_TENANT_REDACTIONS, SELECT_VAULT, SELECT_VAULT_RIVAL } from '../sql.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Transaction } from './database.ts';
import { findRunRow, lockRun, unknownRun } from './run-store.ts';

export function createVaultStore(db: Database): VaultStore {
  return {
    listVault: async (runKey, after = 0) => (await db.all(SELECT_VAULT, { run: (await findRunRow(db, runKey)) ?? -1, after })).map(toVaultRecord),
    recordRedaction: (runKey, record) => db.transaction((session) => recordRedaction(session, runKey, record)),
    countRedactions: async (filter) => {
      const rows =
        'tenant' in filter
          ? await db.all(SELECT_TENANT_REDACTIONS, { tenant: filter.tenant })
          : await db.all(SELECT_RUN_REDACTIONS, { run: (await findRunRow(db, filter.runKey)) ?? -1 });
      return rows.map(toRedactionCount);
    },
  };
}

/** Under the lock of the run, so that its entries appear in the order of their numbers. */
async function recordRedaction(session: Transaction, runKey: RunKey, { entries, counts, audit }: RedactionRecord): Promise<'recorded' | 'conflict'> {
  const row = await lockRun(session, runKey);
  if (!row) throw unknownRun(runKey);
  const run = integer(row, 'id');
  const fresh: (typeof entries)[number][] = [];
  for (const entry of entries) {
    const { token, valueHash } = entry;
    const rivals = await session.all(SELECT_VAULT_RIVAL, { run, token, valueHash });
    if (rivals.some((rival) => rival.token !== token || rival.value_hash !== valueHash)) return 'conflict';
    if (rivals.length === 0) fresh.push(entry);
  }
  for (const { token, type, valueHash, sealed } of fresh) await session.all(INSERT_VAULT, { run, token, type, valueHash, sealed });
  for (const { place, type, action, count } of counts) await session.all(ADD_REDACTION_COUNT, { run, place, type, action, count });
  if (audit) await writeAudit(session, audit);
  return 'recorded';
}
