import { TollgateError } from '../contracts/failures.ts';

/** The error for a server that does not answer, with what to set. */
export function translatedConnectError(address: string, cause: unknown): TollgateError {
  const message = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
  return new TollgateError(
    'temporalUnavailable',
    `No Temporal server answers at ${address} (${message}). Start one with "npx tollgate dev", or set TEMPORAL_ADDRESS to one that runs.`,
    { cause },
  );
}
