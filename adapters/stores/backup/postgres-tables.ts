import pg from 'pg';
import { TollgateError } from '../../../contracts/failures.ts';
import { Database } from '../postgres/database.ts';
import { checkSchema } from '../postgres/schema.ts';
import { describeAddress, toStoreError } from '../postgres/store-errors.ts';
import { integer } from '../rows.ts';
import { type Cell, TABLES, type TableName, type TableSource, type TableTarget } from './tables.ts';

const FETCH_ROWS = 100;
const CONNECT_TIMEOUT_MS = 5_000;
const LOCK_TIMEOUT_MS = 10_000;
const INT8 = 20;

/** Runs `body` on one state of the database; others go on writing beside it. */
export async function readPostgres<T>(url: string, body: (source: TableSource) => Promise<T>): Promise<T> {
  return await onDatabase(url, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', (ask) =>
    body({
      columns: async (table) => [...(await columnsOf(ask, table)).keys()],
      async *rows(table, columns) {
        await ask(`DECLARE backup NO SCROLL CURSOR FOR SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${columns.slice(0, 2).join(', ')}`);
        for (;;) {
          const rows = await ask(`FETCH ${FETCH_ROWS} FROM backup`);
          for (const row of rows) yield row.map(toCell);
          if (rows.length < FETCH_ROWS) break;
        }
        await ask('CLOSE backup');
      },
    }),
  );
}

/** Runs `body` in one transaction that keeps other writers out. */
export async function writePostgres<T>(url: string, body: (target: TableTarget) => Promise<T>): Promise<T> {
  return await onDatabase(url, 'BEGIN', async (ask) => {
    await ask(`SET LOCAL lock_timeout TO ${LOCK_TIMEOUT_MS}`);
    await ask(`LOCK TABLE ${TABLES.join(', ')} IN EXCLUSIVE MODE`);
    const result = await body({
      columns: async (table) => [...(await columnsOf(ask, table)).keys()],
      isEmpty: async () => {
        for (const table of TABLES) if ((await ask(`SELECT 1 FROM ${table} LIMIT 1`)).length > 0) return false;
        return true;
      },
      clear: async () => {
        // Nobody but a restore takes rows out of the audit.
        await ask('ALTER TABLE audit DISABLE TRIGGER USER');
        await ask(`TRUNCATE ${TABLES.join(', ')}`);
        await ask('ALTER TABLE audit ENABLE TRIGGER USER');
      },
      insert: (table, columns, rows) => insert(ask, table, columns, rows),
    });
    for (const table of TABLES) await continueNumbers(ask, table);
    return result;
  });
}

type Ask = (sql: string, values?: readonly unknown[]) => Promise<unknown[][]>;

async function onDatabase<T>(url: string, begin: string, body: (ask: Ask) => Promise<T>): Promise<T> {
  const store = describeAddress(url);
  await ensureSchema(url);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'tollgate backup' });
  client.on('error', () => undefined);
  const ask: Ask = async (text, values = []) => {
    try {
      return (await client.query({ text, values: [...values], rowMode: 'array', types: { getTypeParser } })).rows;
    } catch (error) {
      throw toStoreError(store, error);
    }
  };
  try {
    await client.connect().catch((error: unknown) => {
      throw toStoreError(store, error);
    });
    await ask(begin);
    await ask('SET LOCAL search_path TO tollgate');
    const result = await body(ask);
    await ask('COMMIT');
    return result;
  } finally {
    // What has not been committed goes with its connection.
    await client.end().catch(() => undefined);
  }
}

async function ensureSchema(url: string): Promise<void> {
  const db = new Database({ url, maxConnections: 1 });
  try {
    await checkSchema(db, db.description);
  } finally {
    await db.close();
  }
}

const getTypeParser: typeof pg.types.getTypeParser = ((oid: number, format: 'text') =>
  oid === INT8 ? (value: string) => integer({ value }, 'value') : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser;

/** Bytes are texts that Postgres would not take as such. */
function toCell(value: unknown): Cell {
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  throw new TollgateError(
    'invariantBroken',
    `A column of the store holds a ${typeof value}, which no backup can. This is a defect in Tollgate; please report it.`,
  );
}

async function insert(ask: Ask, table: TableName, columns: readonly string[], rows: readonly (readonly Cell[])[]): Promise<void> {
  const types = await columnsOf(ask, table);
  const isBytes = columns.map((column) => types.get(column) === 'bytea');
  const places = rows.map((_, row) => `(${columns.map((_, column) => `$${row * columns.length + column + 1}`).join(', ')})`);
  const values = rows.flatMap((row) => row.map((cell, column) => (isBytes[column] && typeof cell === 'string' ? Buffer.from(cell, 'utf8') : cell)));
  await ask(`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${places.join(', ')}`, values);
}

/** Rows that come later are numbered after those that were restored. */
async function continueNumbers(ask: Ask, table: TableName): Promise<void> {
  const [identity] = await ask(
    "SELECT attname, pg_get_serial_sequence('tollgate.' || $1, attname) FROM pg_attribute WHERE attrelid = ('tollgate.' || $1)::regclass AND attidentity <> ''",
    [table],
  );
  if (identity) await ask(`SELECT setval($1::text::regclass, (SELECT coalesce(max(${identity[0]}), 0) + 1 FROM ${table}), false)`, [identity[1]]);
}

/** The columns in their order, with their types. */
async function columnsOf(ask: Ask, table: TableName): Promise<ReadonlyMap<string, string>> {
  const rows = await ask(
    "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = ('tollgate.' || $1)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
    [table],
  );
  return new Map(rows.map(([name, type]) => [String(name), String(type)]));
}
