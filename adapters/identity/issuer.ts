import { TollgateError } from '../../contracts/failures.ts';

/** How long an issuer may take for one answer, in milliseconds. */
export const ISSUER_TIMEOUT_MS = 5_000;
/** How long what an issuer says of itself is believed, in milliseconds. */
export const METADATA_MAX_AGE_MS = 3_600_000;

/** The error where nobody can be verified now. Nobody is let in on the strength of that. */
export function issuerUnavailable(issuer: string, cause: unknown): TollgateError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TollgateError(
    'identityUnavailable',
    `The issuer ${issuer} can't be asked now (${reason.slice(0, 200)}), so nobody can be verified. Try again; TOLLGATE_OIDC_ISSUER says where it is.`,
    { cause },
  );
}
