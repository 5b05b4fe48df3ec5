import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { invariant, TollgateError } from '../../contracts/failures.ts';
import type { KeyedHash, SealingKey, TenantPublicKey } from '../../domain/encryption/port.ts';
import { clientSealedFor, openClientValue, tenantPublicKey, x25519PrivateKey } from './client-sealer.ts';
import { keyVersion, sealingKey } from './sealed.ts';

export interface RawKey {
  readonly keyId: string;
  readonly raw: Uint8Array;
}

/** A tenant's keys in memory, and what is derived from them: per version one to seal under and one for clients; one for hashes. */
export class TenantKeys {
  readonly sealing: SealingKey;
  readonly hash: KeyedHash;
  readonly publicKey: TenantPublicKey;
  readonly #privateKeys: ReadonlyMap<string, KeyObject>;

  /** `versions` oldest first, at least one; `destroyed` are ids. */
  constructor(versions: readonly RawKey[], destroyed: readonly string[]) {
    const newest = versions.at(-1);
    const oldest = versions[0];
    invariant(newest && oldest, 'a tenant has a key');
    const sealing = ({ keyId, raw }: RawKey) => keyVersion(keyId, derived(raw, 'seal'));
    this.sealing = sealingKey(sealing(newest), versions.map(sealing), destroyed);
    this.#privateKeys = new Map(versions.map(({ keyId, raw }) => [keyId, x25519PrivateKey(derived(raw, 'client'))]));
    this.publicKey = tenantPublicKey(newest.keyId, x25519PrivateKey(derived(newest.raw, 'client')));
    // The oldest, so that equal values have equal hashes before and after a rotation.
    this.hash = keyedHash(createSecretKey(derived(oldest.raw, 'hash')));
  }

  has(keyId: string): boolean {
    return this.#privateKeys.has(keyId);
  }

  /** @throws TollgateError `unreadable`. */
  openFromClient(sealed: Uint8Array, context: string): Uint8Array {
    const keyId = clientSealedFor(sealed);
    const key = keyId === null ? undefined : this.#privateKeys.get(keyId);
    if (!key) throw new TollgateError('unreadable', `A client sealed for the key ${keyId ?? 'of another kind'}, which is none of the tenant's.`);
    return openClientValue(key, sealed, context);
  }
}

function derived(raw: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', raw, '', `tollgate tenant ${purpose} v1`, 32));
}

function keyedHash(key: KeyObject): KeyedHash {
  return {
    // The length keeps ("a", "bc") and ("ab", "c") apart.
    hash: (purpose, value) => createHmac('sha256', key).update(`${purpose.length}:${purpose}`, 'utf8').update(value, 'utf8').digest('hex'),
  };
}
