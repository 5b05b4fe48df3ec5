import { randomBytes } from 'node:crypto';
import { TollgateError } from '../../../contracts/failures.ts';
import type { Store } from '../../../domain/store/port.ts';
import { text } from '../rows.ts';
import { createApiKeyStore } from './api-key-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createBreakerStore } from './breaker-store.ts';
import { createContentStore } from './content-store.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { createEndedSessionStore } from './ended-session-store.ts';
import { createErasureStore } from './erasure-store.ts';
import { createFeedbackStore } from './feedback-store.ts';
import { createGateStore } from './gate-store.ts';
import { createGrantStore, createStopStore } from './grant-store.ts';
import { createKeyStore } from './key-store.ts';
import { createHeldStore } from './held-store.ts';
import { createLedgerStore } from './ledger-store.ts';
import { createNotificationStore } from './notification-store.ts';
import { createOverviewStore } from './overview-store.ts';
import { createQuotaStore } from './quota-store.ts';
import { createRepairStore } from './repair-store.ts';
import { createReportStore } from './report-store.ts';
import { createRunStore } from './run-store.ts';
import { checkSchema } from './schema.ts';
import { createToolCallStore } from './tool-call-store.ts';
import { createTraceStore } from './trace-store.ts';
import { createVaultStore } from './vault-store.ts';

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
    ...createStopStore(db),
    ...createGrantStore(db),
    ...createAuditStore(db),
    ...createApiKeyStore(db),
    ...createKeyStore(db),
    ...createHeldStore(db),
    ...createOverviewStore(db),
    ...createQuotaStore(db),
    ...createBreakerStore(db),
    ...createErasureStore(db),
    ...createNotificationStore(db),
    ...createVaultStore(db),
    ...createTraceStore(db),
    ...createFeedbackStore(db),
    ...createRepairStore(db),
    ...createEndedSessionStore(db),
    ...createReportStore(db),
    nowMs: () => db.nowMs(),
    ensureRoom: (bytes) => ensureRoom(db, bytes),
    close: () => db.close(),
  };
}

/** Opens the database, writes nothing, and says what it is. @throws TollgateError where it can't be used. */
export async function checkPostgresStore(options: DatabaseOptions): Promise<string> {
  const db = new Database(options);
  try {
    const version = await checkSchema(db, db.description);
    const row = await db.get(
      "SELECT current_setting('server_version') AS server, pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS is_read_only",
    );
    if (row?.is_read_only === true)
      throw new TollgateError(
        'storeUnavailable',
        `The store ${db.description} only reads: it is a standby, or set to read-only. Point DATABASE_URL at the primary.`,
      );
    return `${db.description} answers (PostgreSQL ${text(row ?? {}, 'server')}), schema version ${version}`;
  } finally {
    await db.close();
  }
}

/** Takes `bytes` of the disk and gives them back: in a temporary table, which leaves nothing behind in the log or the tables. */
async function ensureRoom(db: Database, bytes: number): Promise<void> {
  await db.transaction(async (session) => {
    await session.all('CREATE TEMPORARY TABLE IF NOT EXISTS room (taken BYTEA) ON COMMIT DELETE ROWS');
    // Random, because the server compresses what it can.
    await session.all('INSERT INTO pg_temp.room (taken) VALUES (:taken)', { taken: randomBytes(bytes) });
  });
}
