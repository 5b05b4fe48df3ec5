import { close, closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { TollgateError } from '../../../contracts/failures.ts';

/** How a file reaches the disk. Tests hold it back or let it fail. */
export interface DiskSync {
  sync(descriptor: number, done: (error: Error | null) => void): void;
  syncNow(descriptor: number): void;
}

const DISK: DiskSync = { sync: fdatasync, syncNow: fdatasyncSync };

type Tell = (error?: unknown) => void;

/**
 * Brings SQLite's write-ahead log to the disk beside the event loop. SQLite writes a commit into the log and does not wait
 * (`synchronous = NORMAL`); whoever made it is told here, once the log was synced after it. The log is written in order,
 * and SQLite syncs it itself before it starts the log anew, so what was told is there after loss of power, as with
 * `synchronous = FULL`, and other commits go on meanwhile and share the next sync.
 *
 * A sync that failed can't be made good, for the system may have dropped what it could not write: from then on every
 * write is refused.
 */
export class LogSync {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #disk: DiskSync;
  #waiting: Tell[] = [];
  #underWay: Tell[] | null = null;
  #failure: TollgateError | null = null;
  #isClosed = false;

  /** @param path of the database file, as SQLite resolved it. */
  constructor(path: string, disk: DiskSync = DISK) {
    this.#path = path;
    this.#disk = disk;
    this.#descriptor = openSync(`${path}-wal`, 'r+');
  }

  /** @throws TollgateError `storeUnavailable` after a sync has failed. */
  ensureWorks(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Tells when all that is committed by now is on the disk, or that this is not known. */
  afterSync(tell: Tell): void {
    this.#waiting.push(tell);
    this.#start();
  }

  /** Waits for the disk, with everybody who waits. The log is not used after it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const waiting = [...(this.#underWay ?? []), ...this.#waiting.splice(0)];
    const isBusy = this.#underWay !== null;
    this.#underWay = null;
    this.#tell(waiting, this.#syncNow());
    // A sync that is under way still uses the number.
    if (!isBusy) closeSync(this.#descriptor);
  }

  #start(): void {
    if (this.#underWay || this.#waiting.length === 0 || this.#isClosed) return;
    this.#underWay = this.#waiting.splice(0);
    this.#disk.sync(this.#descriptor, (error) => {
      if (this.#isClosed) return close(this.#descriptor);
      const told = this.#underWay ?? [];
      this.#underWay = null;
      this.#tell(told, error);
      this.#start();
    });
  }

  #syncNow(): unknown {
    try {
      this.#disk.syncNow(this.#descriptor);
      return null;
    } catch (error) {
      return error;
    }
  }

  #tell(waiting: readonly Tell[], error: unknown): void {
    if (error !== null) this.#failure ??= brokenStore(this.#path, error);
    for (const tell of waiting) tell(this.#failure ?? undefined);
  }
}

function brokenStore(path: string, cause: unknown): TollgateError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TollgateError(
    'storeUnavailable',
    `The disk did not take what was written to the store ${path} (${why}). Check the disk and its room, then start this process again; runs wait and then go on.`,
    { cause },
  );
}
