import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, type KeyObject } from 'node:crypto';
import { TollgateError } from '../../contracts/failures.ts';
import type { ClientSealer, TenantPublicKey } from '../../domain/encryption/port.ts';

/**
 * What a client sealed: version 2, the tenant key's id, the client's public key of this one value, the ciphertext, a tag.
 * X25519 between a fresh pair and the tenant's key, HKDF-SHA-256, AES-256-GCM: a key is used for one value only, so its
 * nonce is constant.
 */
const VERSION = 2;
const ID_BYTES = 8;
const PUBLIC_BYTES = 32;
const TAG_BYTES = 16;
const PUBLIC_AT = 1 + ID_BYTES;
const BODY_AT = PUBLIC_AT + PUBLIC_BYTES;
const NONCE = Buffer.alloc(12);
const INFO = 'tollgate client value v1';
// RFC 8410: what comes before the 32 bytes of an X25519 key.
const PRIVATE_DER = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_DER = Buffer.from('302a300506032b656e032100', 'hex');

/** Seals for a tenant with its public key alone. */
export const clientSealer: ClientSealer = {
  seal: (to, plain, context) => {
    const pair = generateKeyPairSync('x25519');
    const recipient = readPublicKey(to);
    const own = rawPublicKey(pair.publicKey);
    const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(to.keyId, 'hex'), own]);
    const cipher = createCipheriv('aes-256-gcm', valueKey(pair.privateKey, recipient, own, rawPublicKey(recipient)), NONCE, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.concat([header, Buffer.from(context, 'utf8')]));
    const body = cipher.update(plain);
    cipher.final();
    return Buffer.concat([header, body, cipher.getAuthTag()]);
  },
};

/** The id of the tenant key that a client sealed for; null where it is no such value. */
export function clientSealedFor(sealed: Uint8Array): string | null {
  if (sealed.length < BODY_AT + TAG_BYTES || sealed[0] !== VERSION) return null;
  return Buffer.from(sealed.buffer, sealed.byteOffset + 1, ID_BYTES).toString('hex');
}

/** @throws TollgateError `unreadable`. */
export function openClientValue(privateKey: KeyObject, value: Uint8Array, context: string): Buffer {
  try {
    const sealed = Buffer.from(value.buffer, value.byteOffset, value.length);
    const theirs = sealed.subarray(PUBLIC_AT, BODY_AT);
    const sender = createPublicKey({ key: Buffer.concat([PUBLIC_DER, theirs]), format: 'der', type: 'spki' });
    const key = valueKey(privateKey, sender, theirs, rawPublicKey(createPublicKey(privateKey)));
    const decipher = createDecipheriv('aes-256-gcm', key, NONCE, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.concat([sealed.subarray(0, BODY_AT), Buffer.from(context, 'utf8')]));
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const plain = decipher.update(sealed.subarray(BODY_AT, -TAG_BYTES));
    decipher.final();
    return plain;
  } catch (cause) {
    throw new TollgateError('unreadable', `What a client sealed was changed, or belongs to another place (${context}).`, { cause });
  }
}

/** The X25519 private key of 32 secret bytes. */
export function x25519PrivateKey(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_DER, seed]), format: 'der', type: 'pkcs8' });
}

export function tenantPublicKey(keyId: string, privateKey: KeyObject): TenantPublicKey {
  return { keyId, publicKey: rawPublicKey(createPublicKey(privateKey)).toString('base64url') };
}

function readPublicKey({ keyId, publicKey }: TenantPublicKey): KeyObject {
  const raw = Buffer.from(publicKey, 'base64url');
  if (raw.length !== PUBLIC_BYTES || !/^[0-9a-f]{16}$/.test(keyId))
    throw new TollgateError(
      'invalidInput',
      `"${publicKey}" with the id "${keyId}" is no public key of a tenant. "tollgate keyring public-key --tenant T" prints one.`,
    );
  return createPublicKey({ key: Buffer.concat([PUBLIC_DER, raw]), format: 'der', type: 'spki' });
}

function valueKey(privateKey: KeyObject, publicKey: KeyObject, ephemeral: Buffer, recipient: Buffer): Buffer {
  const shared = diffieHellman({ privateKey, publicKey });
  return Buffer.from(hkdfSync('sha256', shared, Buffer.concat([ephemeral, recipient]), INFO, 32));
}

function rawPublicKey(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(PUBLIC_DER.length);
}
