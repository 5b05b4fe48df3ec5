import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from './migrations.ts';
import { isBusy, toStoreError } from './store-errors.ts';

/** Waiting for a lock blocks the event loop, so it must end well before an activity's heartbeat is due (about 5 s). */
const LOCK_WAIT_MS = 3_000;
const OPEN_TRIES = 20;
const OPEN_RETRY_MS = 50;

export interface ConnectionOptions {
  readonly path: string;
  /** Upper bound on the file's size in pages of 4 KiB. */
  readonly maxPages?: number;
  /** The store's clock. One machine has one, so this is the process's unless a test brings its own. */
  readonly now?: () => number;
}

/**
 * One SQLite connection. Writes begin IMMEDIATE: a transaction that reads first and asks for the lock later fails at
 * once when another process wrote in between, whatever the timeout.
 */
export class Connection {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  /** Milliseconds since 1970. Read it inside the transaction that decides by it. */
  readonly now: () => number;

  constructor(database: DatabaseSync, { path, now = Date.now }: ConnectionOptions) {
    this.#database = database;
    this.#path = path;
    this.now = now;
  }

  /** The first row, typed as the caller's SQL selects it. */
  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guarded(() => this.#statement(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guarded(() => this.#statement(sql).all(...values) as Row[]);
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guarded(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Inserts a row unless one with its key exists; says whether it did. Table and column names come from code alone. */
  insert(table: string, row: Readonly<Record<string, SQLInputValue>>): boolean {
    const columns = Object.keys(row);
    const places = columns.map(() => '?').join(', ');
    return this.run(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places}) ON CONFLICT DO NOTHING`, ...Object.values(row)) === 1;
  }

  /** Several reads of one moment. */
  read<T>(work: () => T): T {
    return this.#transaction('BEGIN', work);
  }

  /** Takes the write lock first, then works; all of it is written, or nothing. */
  write<T>(work: () => T): T {
    return this.#transaction('BEGIN IMMEDIATE', work);
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#guarded(() => this.#database.close());
  }

  #transaction<T>(begin: string, work: () => T): T {
    return this.#guarded(() => {
      this.#database.exec(begin);
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** SQLite has rolled back by itself after some errors; a failure to roll back must not hide the first one. */
  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {}
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, this.#path);
    }
  }
}

/** Opens the file, creates it (readable by its owner only) where there is none, and brings its schema up to date. @throws TollgateError storeUnavailable or storeFull. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  try {
    await createPrivateFile(options.path);
    for (let tries = 1; ; tries += 1) {
      try {
        return openOnce(options);
      } catch (error) {
        // The switch to WAL does not wait for other connections, whatever the timeout says.
        if (!isBusy(error) || tries === OPEN_TRIES) throw error;
        await sleep(OPEN_RETRY_MS);
      }
    }
  } catch (error) {
    throw toStoreError(error, options.path);
  }
}

function openOnce(options: ConnectionOptions): Connection {
  const database = new DatabaseSync(options.path, { timeout: LOCK_WAIT_MS, enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${Math.trunc(options.maxPages)}`);
    migrate(database, options.path);
    return new Connection(database, options);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Never opens a file that exists: closing a second descriptor would drop the locks that SQLite holds on it in this process. */
async function createPrivateFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
