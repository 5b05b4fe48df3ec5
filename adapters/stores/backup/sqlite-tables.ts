import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../../../contracts/failures.ts';
import { openConnection } from '../sqlite/connection.ts';
import { translated } from '../sqlite/store-errors.ts';
import { type Cell, TABLES, type TableName, type TableSource, type TableTarget } from './tables.ts';

const BUSY_TIMEOUT_MS = 10_000;

/** Runs `body` on one state of the file: in WAL mode others go on writing beside it. */
export async function readSqlite<T>(path: string, body: (source: TableSource) => Promise<T>): Promise<T> {
  if (!existsSync(path)) throw new TollgateError('storeUnavailable', `There is no store ${path}. Set TOLLGATE_HOME to the folder that has it.`);
  return await onFile(path, 'BEGIN', async (database) =>
    body({
      columns: async (table) => columnsOf(path, database, table),
      async *rows(table, columns) {
        // As bytes: node:sqlite cuts text at a NUL before Node 24.16.
        const selected = columns.map((column) => (column === 'body' ? 'CAST(body AS BLOB)' : column));
        const statement = translated(path, () => database.prepare(`SELECT ${selected.join(', ')} FROM ${table} ORDER BY ${columns.slice(0, 2).join(', ')}`));
        statement.setReturnArrays(true);
        const rows = statement.iterate() as unknown as Iterator<(Cell | Uint8Array)[]>;
        for (let next = translated(path, () => rows.next()); next.done !== true; next = translated(path, () => rows.next()))
          yield next.value.map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('utf8') : cell));
      },
    }),
  );
}

/** Runs `body` in one transaction that locks the file for other writers. */
export async function writeSqlite<T>(path: string, body: (target: TableTarget) => Promise<T>): Promise<T> {
  return await onFile(path, 'BEGIN IMMEDIATE', (database) =>
    body({
      columns: async (table) => columnsOf(path, database, table),
      isEmpty: async () => translated(path, () => TABLES.every((table) => database.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() === undefined)),
      clear: async () => translated(path, () => clear(database)),
      insert: async (table, columns, rows) =>
        translated(path, () => {
          const statement = database.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`);
          for (const row of rows) statement.run(...row);
        }),
    }),
  );
}

async function onFile<T>(path: string, begin: string, body: (database: DatabaseSync) => Promise<T>): Promise<T> {
  // Brings the file up to this Tollgate's schema.
  (await openConnection({ path })).close();
  const database = translated(path, () => new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS }));
  try {
    translated(path, () => database.exec(`PRAGMA synchronous = FULL; ${begin}`));
    const result = await body(database);
    translated(path, () => database.exec('COMMIT'));
    return result;
  } finally {
    // What has not been committed goes with its connection.
    database.close();
  }
}

/** Nobody but a restore takes rows out of the audit, so its triggers are taken away for the moment and come back as they were. */
function clear(database: DatabaseSync): void {
  const triggers = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").all();
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`);
  for (const table of TABLES.toReversed()) database.exec(`DELETE FROM ${table}`);
  for (const { sql } of triggers) database.exec(String(sql));
}

function columnsOf(path: string, database: DatabaseSync, table: TableName): string[] {
  return translated(path, () =>
    database
      .prepare(`SELECT name FROM pragma_table_info('${table}')`)
      .all()
      .map(({ name }) => String(name)),
  );
}
