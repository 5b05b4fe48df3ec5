import type { Store } from '../../../domain/store/port.ts';
import { createApiKeyStore } from './api-key-store.ts';
import { createAuditStore } from './audit-store.ts';
import { createBreakerStore } from './breaker-store.ts';
import { openConnection } from './connection.ts';
import { createContentStore } from './content-store.ts';
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
import { createToolCallStore } from './tool-call-store.ts';
import { createTraceStore } from './trace-store.ts';
import { createVaultStore } from './vault-store.ts';

export interface SqliteStoreOptions {
  /** The file; it and its folder are created where they are missing, and brought up to the newest schema. */
  readonly path: string;
  /** The most pages of 4 KiB that the file may have. */
  readonly maxPages?: number;
  /** Milliseconds since 1970. Default: this machine's clock, which every process of a SQLite store shares. */
  readonly now?: () => number;
}

/** Opens a store in one SQLite file, safe for several processes. @throws TollgateError `storeUnavailable` or `storeFull`. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const db = await openConnection(options);
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
    nowMs: async () => db.now(),
    ensureRoom: async (bytes) => db.ensureRoom(bytes),
    close: async () => db.close(),
  };
}
