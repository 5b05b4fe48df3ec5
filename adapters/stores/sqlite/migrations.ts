import type { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../../../contracts/failures.ts';
import { INITIAL_SCHEMA } from './initial-schema.ts';

/** In order; the number of a migration is its place, counted from 1. Released ones never change. */
const MIGRATIONS: readonly string[] = [INITIAL_SCHEMA];

export const SCHEMA_VERSION = MIGRATIONS.length;

/** Brings a file to the schema this code knows, in one transaction. @throws TollgateError storeUnavailable where the file is newer than that. */
export function migrate(database: DatabaseSync, path: string): void {
  if (versionOf(database) === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have migrated while this one waited for the lock.
    const version = versionOf(database);
    if (version > SCHEMA_VERSION) throw newerError(version, path);
    for (const sql of MIGRATIONS.slice(version)) database.exec(sql);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
}

function newerError(version: number, path: string): TollgateError {
  return new TollgateError(
    'storeUnavailable',
    `The store ${path} has schema version ${version}, this Tollgate knows versions up to ${SCHEMA_VERSION}. Use the newer Tollgate, or name another folder (TOLLGATE_HOME).`,
  );
}
