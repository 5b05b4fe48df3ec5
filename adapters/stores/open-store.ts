import { join } from 'node:path';
import { TollgateError } from '../../contracts/failures.ts';
import type { Store } from '../../domain/store/port.ts';
import { type KeyringSettings, openKeyring, shareKeyring } from '../keys/open-keyring.ts';
import { checkPostgresStore, openPostgresStore } from './postgres/postgres-store.ts';
import { type MigrationReport, migratePostgres } from './postgres/schema.ts';
import { describeAddress } from './postgres/store-errors.ts';
import { sealedStore } from './sealed/sealed-store.ts';
import { openConnection } from './sqlite/connection.ts';
import { openSqliteStore } from './sqlite/sqlite-store.ts';

/** Which store, of all settings. */
export interface StoreSettings {
  /** The data folder: the SQLite file is in it. */
  readonly home: string;
  /** Set: the store is in this Postgres database. */
  readonly databaseUrl?: string;
  readonly databaseConnections?: number;
  readonly storeMaxPages?: number;
  /** Whether what is written is sealed, and where the keys are. Absent: not. What is sealed already is opened either way. */
  readonly encryption?: { readonly store: boolean } & KeyringSettings['encryption'];
}

/**
 * Opens the store that the settings name. `watch` may put something around it that looks on, below the seal.
 * @throws TollgateError `storeUnavailable` or `storeFull`, with what to do.
 */
export async function openStore(settings: StoreSettings, watch: (store: Store) => Store = (store) => store): Promise<Store> {
  const store = watch(await openPlainStore(settings));
  const keyring = openKeyring(settings, store);
  const sealed = sealedStore(store, keyring, { seals: settings.encryption?.store ?? false });
  shareKeyring(keyring, sealed);
  return sealed;
}

/** The store without opening what is sealed in it. */
async function openPlainStore(settings: StoreSettings): Promise<Store> {
  const { databaseUrl, storeMaxPages } = settings;
  if (databaseUrl !== undefined) return await openPostgresStore(postgresOptions(settings, databaseUrl));
  return await openSqliteStore({ path: storePath(settings), ...(storeMaxPages === undefined ? {} : { maxPages: storeMaxPages }) });
}

/** The store for people, without what is secret. */
export function describeStore(settings: StoreSettings): string {
  return settings.databaseUrl === undefined ? storePath(settings) : describeAddress(settings.databaseUrl);
}

/** Brings the store to the schema of this Tollgate; one that has it already is left as it is. */
export async function migrateStore(settings: StoreSettings): Promise<MigrationReport> {
  if (settings.databaseUrl !== undefined) return await migratePostgres(settings.databaseUrl);
  const connection = await openConnection({ path: storePath(settings) });
  connection.close();
  return { ...connection.migration, applied: [] };
}

/** Whether the store opens and is sound; answers what it is. @throws TollgateError where something is wrong with it. */
export async function checkStore(settings: StoreSettings): Promise<string> {
  if (settings.databaseUrl !== undefined) return await checkPostgresStore(postgresOptions(settings, settings.databaseUrl));
  const connection = await openConnection({ path: storePath(settings) });
  try {
    if (connection.isIntact()) return `${storePath(settings)} opens and is intact`;
  } finally {
    connection.close();
  }
  throw new TollgateError(
    'storeUnavailable',
    `The store ${storePath(settings)} is damaged (PRAGMA quick_check). Stop everything that uses it and restore a backup.`,
  );
}

export function storePath({ home }: StoreSettings): string {
  return join(home, 'tollgate.db');
}

function postgresOptions({ databaseConnections }: StoreSettings, url: string) {
  return { url, maxConnections: databaseConnections };
}
