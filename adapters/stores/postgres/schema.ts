import pg from 'pg';
import { TollgateError } from '../../../contracts/failures.ts';
import { integer, type Row } from '../rows.ts';
import { SERVER_TIME, type Session } from './database.ts';
import { MIGRATIONS } from './migrations.ts';
import { describeAddress, toStoreError } from './store-errors.ts';

/** Any number, the same everywhere. */
const MIGRATION_LOCK = 7_351_000;
/** How long to wait for another `tollgate migrate`. */
const OTHER_MIGRATION_MS = 60_000;
/** How long to wait for a table that is in use; who waits for one keeps every later statement on it waiting too. */
const TABLE_LOCK_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;

export interface SchemaVersions {
  /** How many migrations this Tollgate knows. */
  readonly own: number;
  /** How many the store has. */
  readonly found: number;
  /** The oldest version that still works with the store as it is. */
  readonly worksFrom: number;
}

export interface MigrationReport {
  readonly from: number;
  readonly to: number;
  readonly applied: readonly string[];
}

/** What stands in the way of using the store; null where nothing does. A newer store is fine as long as it only has more in it. */
export function schemaProblem(store: string, { own, found, worksFrom }: SchemaVersions): string | null {
  if (found < own) return `The store ${store} has schema version ${found}; this Tollgate needs ${own}. Run "tollgate migrate", then start this again.`;
  if (own < worksFrom)
    return `The store ${store} has schema version ${found}, which takes a Tollgate that knows version ${worksFrom}; this one knows ${own}. Use a newer Tollgate.`;
  return null;
}

/** @throws TollgateError `storeUnavailable` where the store is to be migrated first, or is too new. */
export async function checkSchema(session: Session, store: string): Promise<number> {
  const exists = await session.get("SELECT 1 FROM pg_tables WHERE schemaname = 'tollgate' AND tablename = 'schema_migrations'");
  const row = exists ? await session.get('SELECT max(version) AS version, max(works_from) AS works_from FROM schema_migrations') : undefined;
  const problem = schemaProblem(store, { own: MIGRATIONS.length, ...foundVersions(row) });
  if (problem) throw new TollgateError('storeUnavailable', problem);
  return foundVersions(row).found;
}

function foundVersions(row: Row | undefined): Omit<SchemaVersions, 'own'> {
  if (row?.version === null || row === undefined) return { found: 0, worksFrom: 0 };
  return { found: integer(row, 'version'), worksFrom: integer(row, 'works_from') };
}

/** Applies the missing migrations, all or none, one process at a time. @throws TollgateError where the store is too new or can't be used. */
export async function migratePostgres(url: string, migrations = MIGRATIONS): Promise<MigrationReport> {
  const store = describeAddress(url);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'tollgate migrate' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('BEGIN');
    const report = await applyMissing(client, store, migrations);
    await client.query('COMMIT');
    return report;
  } catch (error) {
    throw toStoreError(store, error);
  } finally {
    // An open transaction goes with its connection.
    await client.end().catch(() => undefined);
  }
}

async function applyMissing(client: pg.Client, store: string, migrations: typeof MIGRATIONS): Promise<MigrationReport> {
  await client.query(`SET LOCAL lock_timeout TO ${OTHER_MIGRATION_MS}; SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
  await client.query(`SET LOCAL lock_timeout TO ${TABLE_LOCK_MS}; CREATE SCHEMA IF NOT EXISTS tollgate; SET LOCAL search_path TO tollgate`);
  await client.query(
    'CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, works_from BIGINT NOT NULL, applied_at_ms BIGINT NOT NULL)',
  );
  const { rows } = await client.query<Row>('SELECT max(version) AS version, max(works_from) AS works_from FROM schema_migrations');
  const { found, worksFrom } = foundVersions(rows[0]);
  const own = migrations.length;
  if (found > own) {
    const problem = schemaProblem(store, { own, found, worksFrom });
    if (problem) throw new TollgateError('storeUnavailable', problem);
  }
  const missing = migrations.slice(found);
  for (const [index, { name, worksFrom: works, sql }] of missing.entries()) {
    await client.query(sql);
    await client.query(`INSERT INTO schema_migrations (version, name, works_from, applied_at_ms) VALUES ($1, $2, $3, ${SERVER_TIME})`, [
      found + index + 1,
      name,
      works,
    ]);
  }
  return { from: found, to: Math.max(found, own), applied: missing.map(({ name }) => name) };
}
