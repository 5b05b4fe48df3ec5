import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { TollgateError } from '../contracts/failures.ts';
import type { ApiKeyRecord, ApiKeyScope, NewApiKey } from '../domain/store/port.ts';

export const API_KEY_SCOPES: readonly ApiKeyScope[] = ['start', 'read', 'decide', 'repair'];
const SECRET_BYTES = 32;
const SECRET = /^tg_[A-Za-z0-9_-]{43}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$/;

/** What a key is made from, as a person says it. */
export interface ApiKeyRequest {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly roles: readonly string[];
  readonly tenant?: string;
}

/**
 * A new key and its secret: 256 random bits, of which the store gets only the digest.
 * @throws TollgateError `invalidInput` that lists everything wrong with the request.
 */
export function newApiKey({ name, scopes, roles, tenant }: ApiKeyRequest): { readonly key: NewApiKey; readonly secret: string } {
  const known = API_KEY_SCOPES.filter((scope) => scopes.includes(scope));
  const problems = [
    ...(NAME.test(name) ? [] : ['name: letters, digits, "_", ".", "@" and "-", at most 100.']),
    ...(known.length > 0 && scopes.every((scope) => API_KEY_SCOPES.some((one) => one === scope))
      ? []
      : [`scopes: one or more of ${API_KEY_SCOPES.join(', ')}.`]),
    ...(roles.length <= 64 && roles.every((role) => /^[^\s,]{1,100}$/.test(role)) ? [] : ['roles: at most 64, without spaces.']),
    ...(tenant === undefined || (tenant.length > 0 && tenant.length <= 100) ? [] : ['tenant: 1 to 100 characters.']),
  ];
  if (problems.length > 0) throw new TollgateError('invalidInput', `No key was made. ${problems.join(' ')}`);
  const secret = `tg_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { secret, key: { keyId: randomUUID(), name, scopes: known, roles, tenant: tenant ?? null, secretDigest: digestOf(secret) } };
}

/**
 * The digest that a secret is looked up by; null for what is no secret at all. The look-up compares digests, so that how
 * long it takes says nothing of any secret.
 */
export function secretDigestOf(secret: string): string | null {
  return SECRET.test(secret) ? digestOf(secret) : null;
}

function digestOf(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex');
}

/** A key as lists show it: everything but its digest. */
export function reportApiKey({ secretDigest: _digest, createdAtMs, revokedAtMs, ...key }: ApiKeyRecord) {
  return { ...key, createdAt: new Date(createdAtMs).toISOString(), revokedAt: revokedAtMs === null ? null : new Date(revokedAtMs).toISOString() };
}
