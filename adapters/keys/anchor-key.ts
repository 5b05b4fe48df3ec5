import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AnchorSigner } from '../../domain/audit/store-port.ts';
import { newPem, readOrCreate } from './local-key.ts';

/** The key with which the workers of a data folder sign anchors of the audit: Ed25519, made at its first use. */
export function openAnchorKey(home: string): AnchorSigner & { readonly publicKey: string } {
  const folder = join(home, 'keys');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const privateKey = createPrivateKey(readOrCreate(join(folder, 'audit-ed25519.pem'), newPem));
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64');
  return { publicKey, sign: (text) => ({ publicKey, signature: sign(null, Buffer.from(text, 'utf8'), privateKey).toString('base64') }) };
}

/** Whether an anchor's signature is one of that key. Never throws. */
export function verifyAnchor(text: string, publicKey: string, signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && verify(null, Buffer.from(text, 'utf8'), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}
