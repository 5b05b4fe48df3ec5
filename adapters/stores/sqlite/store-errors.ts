import { TollgateError } from '../../../contracts/failures.ts';

const SQLITE_FULL = 13;
const SQLITE_BUSY = 5;
/** PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, CANTOPEN, AUTH, NOTADB. */
const UNAVAILABLE = new Set([3, SQLITE_BUSY, 6, 7, 8, 10, 11, 14, 23, 26]);
const FULL_DISK = new Set(['ENOSPC', 'EDQUOT']);
const UNUSABLE_FILE = new Set(['EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ELOOP', 'ENAMETOOLONG']);

interface MediumError {
  readonly code?: string;
  /** SQLite's extended result code; the low byte is the primary one. */
  readonly errcode?: number;
}

/** Gives errors of SQLite and of the file system a type: a full store waits for room, any other trouble of the file waits to be cured. */
export function translated<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw toStoreError(path, error);
  }
}

/** The same for an error at hand. */
export function toStoreError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof TollgateError) return error;
  const { code = '' } = error as MediumError;
  const primary = primaryCode(error);
  if (primary === SQLITE_FULL || FULL_DISK.has(code))
    return new TollgateError(
      'storeFull',
      `The store ${path} can't take more (${error.message}). Free disk space or raise its limit (TOLLGATE_STORE_MAX_PAGES); runs wait and then go on.`,
      { cause: error },
    );
  if (code === 'ERR_INVALID_STATE') return new TollgateError('storeUnavailable', `The store ${path} has been closed (${error.message}).`, { cause: error });
  if (UNUSABLE_FILE.has(code) || (primary !== null && UNAVAILABLE.has(primary)))
    return new TollgateError('storeUnavailable', `The store ${path} can't be used (${error.message}). Check that the file is there, readable and writable.`, {
      cause: error,
    });
  return error;
}

/** Whether another connection held the lock, so that the same thing may succeed a moment later. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && primaryCode(error instanceof TollgateError ? error.cause : error) === SQLITE_BUSY;
}

function primaryCode(error: unknown): number | null {
  const { code, errcode } = (error ?? {}) as MediumError;
  return code === 'ERR_SQLITE_ERROR' && errcode !== undefined ? errcode & 0xff : null;
}
