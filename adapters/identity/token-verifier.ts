import { createHash } from 'node:crypto';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify, type ProtectedHeaderParameters } from 'jose';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import { type ClaimRules, personOf } from '../../domain/identity/claims.ts';
import type { TokenVerifier } from '../../domain/identity/port.ts';
import { ISSUER_TIMEOUT_MS, issuerUnavailable, METADATA_MAX_AGE_MS } from './issuer.ts';

/** Signatures that only the issuer can make. No `none`, and none whose secret a verifier would have to know. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const CLOCK_SKEW_SECONDS = 30;
const MAX_TOKEN_LENGTH = 16_384;
/** Keys are asked for again after this long, and for a key that is not known no sooner than after the cooldown. */
const KEYS_MAX_AGE_MS = 600_000;
const KEYS_COOLDOWN_MS = 5_000;

const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

export interface TokenVerifierOptions {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: ClaimRules;
  readonly metadataMaxAgeMs?: number;
  readonly keysCooldownMs?: number;
  readonly keysMaxAgeMs?: number;
}

/** Verifies JWT access tokens. The issuer is asked for its keys at the first one, and again when it signs with a new key. */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const { issuer, audience, claims } = options;
  let known: { readonly keys: Promise<JWTVerifyGetKey>; readonly untilMs: number } | null = null;
  const keysOf = (): Promise<JWTVerifyGetKey> => {
    if (known && Date.now() < known.untilMs) return known.keys;
    const earlier = known?.keys;
    const keys = discoverKeys(options).catch((error: unknown) => {
      // Where its keys were is still known, and those have an age of their own.
      if (earlier) return earlier;
      known = null;
      throw issuerUnavailable(issuer, error);
    });
    known = { keys, untilMs: Date.now() + (options.metadataMaxAgeMs ?? METADATA_MAX_AGE_MS) };
    return keys;
  };
  return {
    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH || token.split('.').length !== 3) throw refused('it is no signed JWT, and only those can be verified here');
      const keys = await keysOf();
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: ALGORITHMS,
          clockTolerance: CLOCK_SKEW_SECONDS,
          requiredClaims: ['sub', 'exp'],
        });
        demandAccessToken(payload, protectedHeader);
        return personOf(issuer, payload, claims, (text) => createHash('sha256').update(text, 'utf8').digest('hex'));
      } catch (error) {
        throw toOurWords(issuer, error);
      }
    },
  };
}

/** The issuer's own document must say that it is the issuer: else any server could pass for it by a redirect. */
async function discoverKeys({ issuer, keysCooldownMs, keysMaxAgeMs }: TokenVerifierOptions): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: AbortSignal.timeout(ISSUER_TIMEOUT_MS),
  });
  if (!response.ok) throw new Error(`its discovery document answers ${response.status}`);
  const metadata = metadataSchema.parse(await response.json());
  if (metadata.issuer !== issuer) throw new Error(`its discovery document names the issuer ${metadata.issuer.slice(0, 200)}`);
  const jwks = new URL(metadata.jwks_uri);
  if (issuer.startsWith('https:') && jwks.protocol !== 'https:') throw new Error('its keys would come over plain HTTP');
  return createRemoteJWKSet(jwks, {
    timeoutDuration: ISSUER_TIMEOUT_MS,
    cooldownDuration: keysCooldownMs ?? KEYS_COOLDOWN_MS,
    cacheMaxAge: keysMaxAgeMs ?? KEYS_MAX_AGE_MS,
  });
}

/**
 * An ID token says to one application who logged in there; it is no permission to call an API. Issuers mark them in
 * different ways. A token bound to a key of the sender counts only with a proof, which nobody asks for here.
 */
function demandAccessToken(payload: JWTPayload, { typ }: ProtectedHeaderParameters): void {
  if (payload.cnf !== undefined) throw refused('it is bound to a key of its sender, which is not supported');
  if (payload.typ === 'ID' || payload.typ === 'Refresh' || payload.token_use === 'id' || payload.events !== undefined) throw refused('it is no access token');
  const isSaidToBeAccess = payload.typ === 'Bearer' || payload.token_use === 'access' || /^(application\/)?at\+jwt$/i.test(String(typ ?? ''));
  if (isSaidToBeAccess) return;
  if (payload.nonce !== undefined || payload.at_hash !== undefined || payload.c_hash !== undefined) throw refused('it is an ID token, and no access token');
}

function toOurWords(issuer: string, error: unknown): unknown {
  if (error instanceof TollgateError) return error;
  if (error instanceof errors.JWTExpired) return refused('it has expired');
  if (error instanceof errors.JWTClaimValidationFailed) return refused(`its claim "${error.claim}" is not as it must be (${error.reason})`);
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) return refused('it is signed in a way that does not count here');
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return refused('it is not signed by a key of the issuer');
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return refused('it can not be read');
  // Whatever else happens, happens while the issuer is asked for its keys.
  return issuerUnavailable(issuer, error);
}

function refused(why: string): TollgateError {
  return new TollgateError('unauthenticated', `The access token does not count: ${why}. Get a new one from the issuer, or log in again.`);
}
