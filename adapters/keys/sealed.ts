import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto';
import { TollgateError } from '../../contracts/failures.ts';
import type { SealingKey } from '../../domain/encryption/port.ts';

/** A sealed value: version 1, the key's id, a nonce, the ciphertext, a tag. 37 bytes more than the plain one. */
const VERSION = 1;
const ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + ID_BYTES;
const BODY_AT = NONCE_AT + NONCE_BYTES;
export const SEALED_OVERHEAD_BYTES = BODY_AT + TAG_BYTES;
const TEXT_PREFIX = 'sealed:1:';

/** One version of a key. */
export interface KeyVersion {
  /** 16 hex digits. */
  readonly keyId: string;
  readonly key: KeyObject;
}

export function keyVersion(keyId: string, raw: Uint8Array): KeyVersion {
  return { keyId, key: createSecretKey(raw) };
}

/** Whether a text is what `sealText` makes; it may still not open. */
export function isSealedText(text: string): boolean {
  return text.startsWith(TEXT_PREFIX);
}

/** The id of the key that a value was sealed under; null where it is no sealed value. */
export function sealedUnder(sealed: Uint8Array): string | null {
  if (sealed.length < SEALED_OVERHEAD_BYTES || sealed[0] !== VERSION) return null;
  return Buffer.from(sealed.buffer, sealed.byteOffset + 1, ID_BYTES).toString('hex');
}

/** Seals under `newest`, and opens what was sealed under any of `versions`. `destroyed` are ids of versions that are gone. */
export function sealingKey(newest: KeyVersion, versions: readonly KeyVersion[] = [newest], destroyed: readonly string[] = []): SealingKey {
  const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(newest.keyId, 'hex')]);
  const byId = new Map(versions.map(({ keyId, key }) => [keyId, key]));

  function seal(plain: Uint8Array, context: string): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEALED_OVERHEAD_BYTES);
    header.copy(sealed);
    nextNonce().copy(sealed, NONCE_AT);
    const cipher = createCipheriv('aes-256-gcm', newest.key, sealed.subarray(NONCE_AT, BODY_AT), { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData(header, context));
    cipher.update(plain).copy(sealed, BODY_AT);
    cipher.final();
    cipher.getAuthTag().copy(sealed, BODY_AT + plain.length);
    return sealed;
  }

  function open(sealed: Uint8Array, context: string): Buffer {
    const keyId = sealedUnder(sealed);
    if (keyId === null) throw new TollgateError('unreadable', `A value of ${sealed.length} bytes is no sealed one.`);
    const key = byId.get(keyId);
    if (!key) throw unknownKey(keyId, destroyed);
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.length);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(NONCE_AT, BODY_AT), { authTagLength: TAG_BYTES });
    decipher.setAAD(associatedData(bytes.subarray(0, NONCE_AT), context));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const plain = decipher.update(bytes.subarray(BODY_AT, -TAG_BYTES));
    try {
      decipher.final();
    } catch (cause) {
      throw new TollgateError('unreadable', `A value sealed under key ${keyId} was changed, or belongs to another place (${context}).`, { cause });
    }
    return plain;
  }

  return {
    seal,
    open,
    sealText: (plain, context) => TEXT_PREFIX + seal(Buffer.from(plain, 'utf8'), context).toString('base64'),
    openText: (sealed, context) => {
      if (!isSealedText(sealed)) throw new TollgateError('unreadable', 'A text is no sealed one.');
      return open(Buffer.from(sealed.slice(TEXT_PREFIX.length), 'base64'), context).toString('utf8');
    },
  };
}

function unknownKey(keyId: string, destroyed: readonly string[]): TollgateError {
  if (destroyed.includes(keyId)) return new TollgateError('erased', `The key ${keyId} was destroyed by an erasure.`);
  return new TollgateError('unreadable', `A value was sealed under key ${keyId}, which is none of those of its owner.`);
}

function associatedData(header: Buffer, context: string): Buffer {
  const data = Buffer.allocUnsafe(header.length + Buffer.byteLength(context, 'utf8'));
  header.copy(data);
  data.write(context, header.length, 'utf8');
  return data;
}

const NONCES_AT_ONCE = 256;
const nonces = Buffer.allocUnsafe(NONCE_BYTES * NONCES_AT_ONCE);
let used = NONCES_AT_ONCE;

/** The next of a page of random nonces: asking the system for each costs as much as sealing a short value. */
function nextNonce(): Buffer {
  if (used === NONCES_AT_ONCE) {
    randomFillSync(nonces);
    used = 0;
  }
  used += 1;
  return nonces.subarray((used - 1) * NONCE_BYTES, used * NONCE_BYTES);
}
