import { randomBytes } from 'node:crypto';
import type { Store } from '../../../domain/store/port.ts';
import { createApiKeyStore } from './api-key-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createContentStore } from './content-store.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { createGateStore } from './gate-store.ts';
import { createLedgerStore } from './ledger-store.ts';
import { createRunStore } from './run-store.ts';
import { checkSchema } from './schema.ts';
import { createToolCallStore } from './tool-call-store.ts';

/**
 * Opens a store in the schema `tollgate` of a Postgres database, for any number of processes on any number of machines.
 * @throws TollgateError `storeUnavailable` where it can't be reached, or is to be migrated first.
 */
export async function openPostgresStore(options: DatabaseOptions): Promise<Store> {
  const db = new Database(options);
  try {
    await checkSchema(db, db.description);
  } catch (error) {
    await db.close();
    throw error;
  }
  return {
    ...createRunStore(db),
    ...createContentStore(db),
    ...createLedgerStore(db),
    ...createToolCallStore(db),
    ...createGateStore(db),
    ...createAuditStore(db),
    ...createApiKeyStore(db),
    nowMs: () => db.nowMs(),
    ensureRoom: (bytes) => ensureRoom(db, bytes),
    close: () => db.close(),
  };
}

/** Takes `bytes` of the disk and gives them back: in a temporary table, which leaves nothing behind in the log or the tables. */
async function ensureRoom(db: Database, bytes: number): Promise<void> {
  await db.transaction(async (session) => {
    await session.all('CREATE TEMPORARY TABLE IF NOT EXISTS room (taken BYTEA) ON COMMIT DELETE ROWS');
    // Random, because the server compresses what it can.
    await session.all('INSERT INTO pg_temp.room (taken) VALUES (:taken)', { taken: randomBytes(bytes) });
  });
}
