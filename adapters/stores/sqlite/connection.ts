import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../rows.ts';
import { type DiskSync, LogSync } from './log-sync.ts';
import { migrate } from './migrations.ts';
import { isBusy, toStoreError, translated } from './store-errors.ts';

/** How long a write waits for another process, in milliseconds. It blocks the event loop, so it stays below every heartbeat timeout. */
const BUSY_TIMEOUT_MS = 2_500;
/** Writes in the same commit. More would hold the lock, and the event loop, for too long. */
const MAX_GROUP = 64;
const OPEN_TRIES = 40;
const OPEN_RETRY_MS = 50;

export type Parameters = Readonly<Record<string, SQLInputValue>>;

export interface ConnectionOptions {
  readonly path: string;
  readonly maxPages?: number | undefined;
  readonly now?: (() => number) | undefined;
  readonly disk?: DiskSync | undefined;
}

/** Opens a connection; processes that create the same file at once all get one. @throws TollgateError `storeUnavailable` or `storeFull`. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  createPrivateFile(options.path);
  for (let tries = 1; ; tries += 1) {
    try {
      return new Connection(options);
    } catch (error) {
      // The change to WAL does not wait for other connections, whatever the timeout says.
      if (!isBusy(error) || tries === OPEN_TRIES) throw error;
      await sleep(OPEN_RETRY_MS);
    }
  }
}

/** What was said and sent is for the owner only. A file that exists is never opened here: closing it would drop SQLite's locks on it in this process. */
function createPrivateFile(path: string): void {
  translated(path, () => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      closeSync(openSync(path, 'wx', 0o600));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  });
}

interface WaitingWrite {
  readonly body: () => unknown;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/** Tells who asked for a write how it ended; `trouble` is why it is not known to be on the disk. */
type Settle = (trouble?: unknown) => void;

/** One SQLite file: statements prepared once, writes in write-locked transactions, errors in our own words. */
export class Connection {
  readonly #database: DatabaseSync;
  readonly #log: LogSync;
  #waiting: WaitingWrite[] = [];
  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  readonly #path: string;
  readonly now: () => number;
  /** The schema versions before and after this connection was opened. */
  readonly migration: { readonly from: number; readonly to: number };

  constructor(options: ConnectionOptions) {
    this.#path = options.path;
    this.now = options.now ?? Date.now;
    this.#database = translated(options.path, () => new DatabaseSync(options.path, { timeout: BUSY_TIMEOUT_MS }));
    try {
      this.migration = translated(options.path, () => this.#prepareFile(options));
      this.#log = translated(options.path, () => new LogSync(this.#database.location() ?? options.path, options.disk));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  #prepareFile({ path, maxPages }: ConnectionOptions): Connection['migration'] {
    // A reply written down survives power loss: every write waits for the log to be on the disk (`LogSync`).
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
    // What a row gives up is overwritten: an erasure leaves nothing in free space.
    this.#database.exec('PRAGMA secure_delete = ON');
    if (maxPages !== undefined) this.#database.exec(`PRAGMA max_page_count = ${Math.trunc(maxPages)}`);
    return this.#transact(() => migrate(this.#database, path));
  }

  /**
   * Runs `body` in one transaction that holds the write lock from its start, and answers once it is on the disk. Writes
   * that are asked for at the same time share one commit, and commits made while the disk was busy share one sync. Each
   * write is whole or not there, whatever becomes of the others, and sees those before it.
   */
  write<T>(body: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#log.ensureWorks();
      this.#waiting.push({ body, resolve: resolve as (value: unknown) => void, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#commitWaiting());
    });
  }

  #commitWaiting(): void {
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MAX_GROUP);
      if (group.length === 1) this.#writeAlone(group);
      else this.#writeTogether(group);
    }
  }

  #writeAlone(writes: readonly WaitingWrite[]): void {
    for (const { body, resolve, reject } of writes) {
      try {
        const value = this.#transact(body);
        this.#log.afterSync((error) => (error ? reject(error) : resolve(value)));
      } catch (error) {
        reject(error);
      }
    }
  }

  #writeTogether(group: readonly WaitingWrite[]): void {
    let settle: Settle[];
    try {
      settle = this.#transact(() => group.map((write) => this.#inSavepoint(write)));
    } catch (error) {
      // A lock that did not come is waited for once, not once for each. Anything else may be the fault of a single one.
      if (isBusy(error)) for (const { reject } of group) reject(error);
      else this.#writeAlone(group);
      return;
    }
    this.#log.afterSync((error) => {
      for (const tell of settle) tell(error);
    });
  }

  /** Runs one write of a group; what it throws undoes it alone. */
  #inSavepoint({ body, resolve, reject }: WaitingWrite): Settle {
    this.run('SAVEPOINT one');
    try {
      const value = body();
      this.run('RELEASE one');
      return (trouble) => (trouble ? reject(trouble) : resolve(value));
    } catch (error) {
      // Some errors make SQLite roll the whole transaction back.
      if (!this.#database.isTransaction) throw error;
      this.run('ROLLBACK TO one');
      this.run('RELEASE one');
      return () => reject(toStoreError(this.#path, error));
    }
  }

  /** A deferred transaction would fail with BUSY_SNAPSHOT at its first write, whatever the timeout. */
  #transact<T>(body: () => T): T {
    return translated(this.#path, () => {
      this.run('BEGIN IMMEDIATE');
      try {
        const result = body();
        this.run('COMMIT');
        return result;
      } catch (error) {
        this.#rollBack();
        throw error;
      }
    });
  }

  /** SQLite has rolled back by itself after some errors; trouble in rolling back must not hide the first error. */
  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.run('ROLLBACK');
    } catch {}
  }

  /** Runs `body`, which is a single statement and so sees one consistent state by itself. */
  readOne<T>(body: () => T): T {
    return translated(this.#path, body);
  }

  /** Runs `body` on one consistent state. */
  read<T>(body: () => T): T {
    return translated(this.#path, () => {
      this.run('BEGIN');
      try {
        return body();
      } finally {
        this.#rollBack();
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

  /** Takes `bytes` of room and gives it back. @throws TollgateError `storeFull`. */
  ensureRoom(bytes: number): void {
    translated(this.#path, () => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        this.#database.exec(`CREATE TABLE room (taken BLOB); INSERT INTO room VALUES (zeroblob(${Math.trunc(bytes)}))`);
      } finally {
        this.#rollBack();
      }
    });
  }

  /** True where SQLite finds nothing wrong with the file. */
  isIntact(): boolean {
    return translated(this.#path, () => this.get('PRAGMA quick_check')?.quick_check === 'ok');
  }

  /** What was removed goes from the log too; where others read just now, at the next time. */
  forgetOldPages(): void {
    translated(this.#path, () => this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
  }

  /** Writes that still wait are written first. */
  close(): void {
    if (this.#database.isOpen) this.#commitWaiting();
    this.#log.close();
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): ReturnType<DatabaseSync['prepare']> {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
