import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite';
import { TollgateError } from '../../../contracts/failures.ts';
import { migrate } from './migrations.ts';

/** How long a write waits for another process, in milliseconds. It blocks the event loop, so it stays below every heartbeat timeout. */
const BUSY_TIMEOUT_MS = 2_500;

export type Row = Readonly<Record<string, SQLOutputValue>>;
export type Parameters = Readonly<Record<string, SQLInputValue>>;

/** One SQLite file: statements prepared once, writes in write-locked transactions, errors in our own words. */
export class Connection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  readonly #path: string;
  readonly now: () => number;

  constructor(options: { readonly path: string; readonly maxPages?: number | undefined; readonly now?: (() => number) | undefined }) {
    this.#path = options.path;
    this.now = options.now ?? Date.now;
    this.#database = translated(options.path, () => new DatabaseSync(options.path, { timeout: BUSY_TIMEOUT_MS }));
    translated(options.path, () => {
      // FULL is what the journal promises: a reply written down survives power loss.
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
      this.write(() => migrate(this.#database));
      if (options.maxPages !== undefined) this.#database.exec(`PRAGMA max_page_count = ${Math.trunc(options.maxPages)}`);
    });
  }

  /**
   * Runs `body` in one transaction that holds the write lock from its start. A deferred one would fail with
   * BUSY_SNAPSHOT at its first write, whatever the timeout.
   */
  write<T>(body: () => T): T {
    return translated(this.#path, () => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = body();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Runs `body` on one consistent state. */
  read<T>(body: () => T): T {
    return translated(this.#path, () => {
      this.#database.exec('BEGIN');
      try {
        return body();
      } finally {
        if (this.#database.isTransaction) this.#database.exec('COMMIT');
      }
    });
  }

  get(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#prepare(sql).get(parameters);
  }

  all(sql: string, parameters: Parameters = {}): Row[] {
    return this.#prepare(sql).all(parameters);
  }

  /** Number of rows changed. */
  run(sql: string, parameters: Parameters = {}): number {
    return Number(this.#prepare(sql).run(parameters).changes);
  }

  /** True where SQLite finds nothing wrong with the file. */
  isIntact(): boolean {
    return translated(this.#path, () => this.get('PRAGMA quick_check')?.quick_check === 'ok');
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

const SQLITE_FULL = 13;

/** Gives errors of SQLite a type: a full store waits for room, any other trouble of the file waits to be cured. */
function translated<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const { code, errcode, message } = error as { code?: string; errcode?: number; message?: string };
    if (code !== 'ERR_SQLITE_ERROR' || errcode === undefined) throw error;
    if ((errcode & 0xff) === SQLITE_FULL)
      throw new TollgateError('storeFull', `The store ${path} can't take more (${message}). Free disk space or raise its limit; runs wait and then go on.`, { cause: error });
    if (isMedium(errcode & 0xff)) throw new TollgateError('storeUnavailable', `The store ${path} can't be used (${message}). Check that the file is there, readable and writable.`, { cause: error });
    throw error;
  }
}

/** PERM, BUSY, LOCKED, READONLY, IOERR, CORRUPT, CANTOPEN, NOTADB. */
function isMedium(primaryCode: number): boolean {
  return [3, 5, 6, 8, 10, 11, 14, 26].includes(primaryCode);
}

export function text(row: Row, column: string): string {
  return String(row[column]);
}
export function textOrNull(row: Row, column: string): string | null {
  const value = row[column];
  return value === null || value === undefined ? null : String(value);
}
export function integer(row: Row, column: string): number {
  return Number(row[column]);
}
export function integerOrNull(row: Row, column: string): number | null {
  const value = row[column];
  return value === null || value === undefined ? null : Number(value);
}
/** JSON that this store wrote itself. */
export function json<T>(row: Row, column: string): T {
  return JSON.parse(text(row, column)) as T;
}
export function jsonOrNull<T>(row: Row, column: string): T | null {
  const value = textOrNull(row, column);
  return value === null ? null : (JSON.parse(value) as T);
}
