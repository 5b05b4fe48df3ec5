import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { decisionSchema } from '../../contracts/approval.ts';
import { TollgateError } from '../../contracts/failures.ts';
import { statementSchema } from '../../contracts/statement.ts';
import type { DecisionSigner, DecisionVerifier } from '../../domain/approval/key-port.ts';

const MAX_SIGNED_LENGTH = 16_384;

/**
 * The development key of a data folder: Ed25519, made at its first use, readable by its owner only. Two processes that
 * make it at once end with the same one.
 */
export async function openLocalKey(home: string): Promise<{ readonly signer: DecisionSigner; readonly verifier: DecisionVerifier }> {
  const folder = join(home, 'keys');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'local-ed25519.pem');
  const privateKey = readKey(path, readOrCreate(path, newPem));
  return { signer: signerOf(privateKey), verifier: verifierOf(createPublicKey(privateKey)) };
}

function readKey(path: string, pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {}
  throw new TollgateError(
    'invalidInput',
    `${path} is no Ed25519 private key. Move it away, and a new one is made; decisions signed with the old one no longer count.`,
  );
}

/** What seals the cookies of sessions at this machine: 32 bytes, made at its first use. @throws TollgateError `invalidInput`. */
export function localSessionKey(home: string): Uint8Array {
  const folder = join(home, 'keys');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'session.key');
  const key = Buffer.from(
    readOrCreate(path, () => randomBytes(32).toString('base64')),
    'base64',
  );
  if (key.length === 32) return key;
  throw new TollgateError('invalidInput', `${path} is no key of sessions: 32 bytes in base64. Move it away, and a new one is made; people log in again.`);
}

function newPem(): string {
  return generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  }).privateKey;
}

function readOrCreate(path: string, make: () => string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // Written in full under another name, then linked: whoever links second finds the first one's key, never half of one.
  const temporary = `${path}.${randomUUID()}`;
  writeFileSync(temporary, make(), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
  return readFileSync(path, 'utf8');
}

/** Signs with a private key. */
export function signerOf(privateKey: KeyObject): DecisionSigner {
  const signJson = (value: unknown) => {
    const body = Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
    return `${body}.${sign(null, Buffer.from(body, 'utf8'), privateKey).toString('base64url')}`;
  };
  return { sign: signJson, signStatement: signJson };
}

/** Verifies with a public key. */
export function verifierOf(publicKey: KeyObject): DecisionVerifier {
  return {
    verify: (signed) => parsed(decisionSchema, read(publicKey, signed)),
    readStatement: (signed) => parsed(statementSchema, read(publicKey, signed)),
  };
}

function parsed<Schema extends z.ZodType>(schema: Schema, said: unknown): z.output<Schema> | null {
  const result = schema.safeParse(said);
  return result.success ? result.data : null;
}

/** What was signed; null where it was not, or not by this key. */
function read(publicKey: KeyObject, signed: string): unknown {
  try {
    if (typeof signed !== 'string' || signed.length > MAX_SIGNED_LENGTH) return null;
    const [body, signature, ...rest] = signed.split('.');
    if (!body || !signature || rest.length > 0) return null;
    const bytes = Buffer.from(signature, 'base64url');
    // Decoding is lenient; one decision has one spelling.
    if (bytes.toString('base64url') !== signature || !verify(null, Buffer.from(body, 'utf8'), publicKey, bytes)) return null;
    return JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as unknown;
  } catch {
    return null;
  }
}
