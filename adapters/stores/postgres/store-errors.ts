import { TollgateError } from '../../../contracts/failures.ts';

const DISK_FULL = '53100';
/** Serialization failure and deadlock: the same transaction may succeed a moment later. */
const CONFLICTS = ['40001', '40P01'];
/** No text of ours: a NUL character, or no UTF-8. */
const NO_TEXT = ['22021', '22P05'];
/** No table, column or schema of ours, or no right to it. */
const NOT_MIGRATED = ['42P01', '42703', '3F000', '42501'];
/** After these the connection can't be used any more: connection, administrator, idle in transaction, system, damaged data. */
const LOST = ['08', '57P', '25P03', '58', 'XX'];
/** States, or classes of them, that say nothing about our rows; beside those above: authorization, no such database, read-only, resources, locks, time. */
const UNAVAILABLE = [...LOST, ...CONFLICTS, '28', '3D000', '25006', '53', '55P', '57'];

/** The address for people: never the user, the password or a parameter, which may hold one. @throws TollgateError where it is none. */
export function describeAddress(databaseUrl: string): string {
  try {
    const { host, pathname, searchParams } = new URL(databaseUrl);
    return `postgres://${host || (searchParams.get('host') ?? '')}${pathname}`;
  } catch {
    throw new TollgateError('invalidInput', 'DATABASE_URL is no address (its value is not shown). It looks like postgres://user:password@host:5432/database.');
  }
}

/** Whether the connection can't be used any more. */
export function isConnectionLost(error: unknown): boolean {
  return isOf(sqlState(error), LOST);
}

/** Whether another transaction was in the way. */
export function isConflict(error: unknown): boolean {
  return CONFLICTS.includes(sqlState(error) ?? '');
}

/** Gives what the server, or the way to it, threw a type: a full store waits for room, other trouble of it waits to be cured. Defects stay as they are. */
export function toStoreError(store: string, error: unknown): unknown {
  if (error instanceof TollgateError) return error;
  const state = sqlState(error);
  const reason = reasonOf(error);
  const failure = (type: 'storeFull' | 'storeUnavailable' | 'invalidInput', message: string) => new TollgateError(type, message, { cause: error });
  if (state === DISK_FULL) return failure('storeFull', `The store ${store} can't take more (${reason}). Give its disk more room; runs wait and then go on.`);
  if (state !== null && NO_TEXT.includes(state)) return failure('invalidInput', `The store ${store} can't hold this text (${reason}).`);
  if (state !== null && NOT_MIGRATED.includes(state))
    return failure('storeUnavailable', `The store ${store} lacks what this Tollgate needs (${reason}). Run "tollgate migrate" as the owner of its tables.`);
  if (isOf(state, UNAVAILABLE))
    return failure(
      'storeUnavailable',
      `The store ${store} can't be used (${reason}). Check that Postgres runs there, that DATABASE_URL is right, and that it has connections left.`,
    );
  return error;
}

/** What the server called it; null where the trouble is between us and the server. */
function sqlState(error: unknown): string | null {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  // EPIPE is as long as a state.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE' ? code : null;
}

function isOf(state: string | null, prefixes: readonly string[]): boolean {
  return state === null || prefixes.some((prefix) => state.startsWith(prefix));
}

/** Several addresses tried in vain come as one error without a message. */
function reasonOf(error: unknown): string {
  const { message, errors, code } = (error ?? {}) as { readonly message?: string; readonly errors?: readonly Error[]; readonly code?: string };
  return message || errors?.map((one) => one.message).join(', ') || code || String(error);
}
