import type { RunKey } from '../../contracts/ids.ts';

/**
 * Whose key. A tenant's key wraps the keys of its runs and persons; each of those is random and can be destroyed alone,
 * and with it everything that was sealed under it. `person` names a data subject by its keyed hash, never by a value.
 */
export type KeyScope =
  | { readonly type: 'tenant'; readonly tenant: string }
  | { readonly type: 'run'; readonly tenant: string; readonly runKey: RunKey }
  | { readonly type: 'person'; readonly tenant: string; readonly person: string };

/**
 * A key in memory. Sealed values name the key they were sealed under, so those of before a rotation still open.
 * `context` is authenticated with the value and not stored: opening needs the same one, which binds a value to its place.
 */
export interface SealingKey {
  /** AES-256-GCM under a fresh nonce. */
  seal(plain: Uint8Array, context: string): Uint8Array;
  /** @throws TollgateError `unreadable` where the key, the context or a single byte is another. */
  open(sealed: Uint8Array, context: string): Uint8Array;
  /** The same for text, as text that JSON and a text column take: `sealed:1:<base64>`. */
  sealText(plain: string, context: string): string;
  /** @throws TollgateError `unreadable`. */
  openText(sealed: string, context: string): string;
}

/** What a client needs to seal for a tenant without any secret. It may be published. */
export interface TenantPublicKey {
  readonly keyId: string;
  /** X25519, base64url. */
  readonly publicKey: string;
}

/** Seals so that only the tenant's keyring opens. Holds no secret. */
export interface ClientSealer {
  seal(to: TenantPublicKey, plain: Uint8Array, context: string): Uint8Array;
}

/** HMAC-SHA-256 under a key of the tenant that no rotation changes: equal values have equal hashes, which nobody can guess at. */
export interface KeyedHash {
  /** In hex. `purpose` keeps hashes of one value for different uses apart. */
  hash(purpose: string, value: string): string;
}

/**
 * The keys of all tenants. A key is made at its first use, by one process; it stays in memory for a bounded time, so that
 * another process can go on reading for some minutes after a key was destroyed.
 */
export interface Keyring {
  /** The newest key of a scope. @throws TollgateError `erased` where it was destroyed, `unreadable` where it can't be unwrapped. */
  key(scope: KeyScope): Promise<SealingKey>;
  /** The same, but none is made: null where there is none. That there is none may be an answer of a second ago. */
  existingKey(scope: KeyScope): Promise<SealingKey | null>;
  /** The same where it is in memory already, for code that can't wait; null else. */
  keyInMemory(scope: KeyScope): SealingKey | null;
  /** The tenant's key with that id, and whose it is, for values that say nothing else; null where there never was such a key. @throws TollgateError `erased`. */
  opener(keyId: string): Promise<{ readonly tenant: string; readonly key: SealingKey } | null>;
  publicKey(tenant: string): Promise<TenantPublicKey>;
  /** Opens what a client sealed for the tenant. @throws TollgateError `erased`, `unreadable`. */
  openFromClient(tenant: string, sealed: Uint8Array, context: string): Promise<Uint8Array>;
  keyedHash(tenant: string): Promise<KeyedHash>;
  /** Destroys the keys of a scope for good; a tenant's with those of all its runs and persons. Answers how many were there. */
  destroy(scope: KeyScope): Promise<number>;
  /** From now on a tenant's new values are sealed under a new key; the old ones still open. */
  rotate(tenant: string): Promise<{ readonly keyId: string }>;
  /** Wraps every tenant's keys anew, after the wrapper's own key was rotated. Answers how many. */
  rewrap(): Promise<number>;
}

/** Wraps keys under one that never leaves it: a key file, or a key management service. */
export interface KeyWrapper {
  /** For people, e.g. `file` or `vault-transit`. */
  readonly name: string;
  /** The text names the wrapping key. */
  wrap(key: Uint8Array, context: string): Promise<string>;
  /** @throws TollgateError `unreadable`; `keysUnavailable` where the service does not answer. */
  unwrap(wrapped: string, context: string): Promise<Uint8Array>;
  /** Wraps under a new key from now on. @throws TollgateError `invalidInput` where that is done at the service. */
  rotate(): Promise<{ readonly keyId: string }>;
}
