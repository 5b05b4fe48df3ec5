import { TollgateError } from '../../../contracts/failures.ts';

const SQLITE_FULL = 13;
/** Primary result codes of a medium that can't be used: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, CANTOPEN, AUTH, NOTADB. */
const UNAVAILABLE = new Set([3, 5, 6, 7, 8, 10, 11, 14, 23, 26]);
const SQLITE_BUSY = 5;
const FILE_ERRORS = new Set(['EACCES', 'EPERM', 'EROFS', 'EIO', 'EMFILE', 'ENFILE', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EEXIST']);

interface NodeError extends Error {
  readonly code?: string;
  /** SQLite's extended result code; the low byte is the primary one. */
  readonly errcode?: number;
}

/** What an error of SQLite or of the file system means to a run. Errors of neither come back as they are. */
export function toStoreError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || error instanceof TollgateError) return error;
  const { code, message } = error as NodeError;
  if (primaryCode(error) === SQLITE_FULL || code === 'ENOSPC' || code === 'EDQUOT') return fullError(error, path);
  if (UNAVAILABLE.has(primaryCode(error) ?? -1) || FILE_ERRORS.has(code ?? '')) return unavailableError(`The store ${path} can't be used: ${message}`, error);
  if (code === 'ERR_INVALID_STATE') return unavailableError(`The store ${path} is closed: ${message}`, error);
  return error;
}

/** Whether another process holds the lock, so that the same thing may succeed a moment later. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

function primaryCode(error: unknown): number | null {
  const { code, errcode } = error as NodeError;
  return code === 'ERR_SQLITE_ERROR' && errcode !== undefined ? errcode & 0xff : null;
}

function fullError(cause: Error, path: string): TollgateError {
  const advice = 'Free space on its disk, or move it (TOLLGATE_HOME); nothing was written, and runs go on once there is room.';
  return new TollgateError('storeFull', `The store ${path} is full: ${cause.message}. ${advice}`, { cause });
}

function unavailableError(what: string, cause: Error): TollgateError {
  return new TollgateError('storeUnavailable', `${what}. See that the file exists, may be written and belongs to no other program (TOLLGATE_HOME names its folder).`, { cause });
}
