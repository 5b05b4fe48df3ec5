import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { TollgateError } from '../../contracts/failures.ts';
import type { DecisionSigner, DecisionVerifier } from '../../domain/approval/key-port.ts';
import { signerOf, verifierOf } from './local-key.ts';

const BASE64 = /^[A-Za-z0-9+/]{40,}={0,2}$/;
const PEM = /-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----/g;

/** What signs decisions, from TOLLGATE_DECISION_KEY. @throws TollgateError `invalidInput`; the key itself is never shown. */
export function openSigningKey(setting: string): DecisionSigner {
  const [material, ...rest] = materialOf('TOLLGATE_DECISION_KEY', setting);
  const key = material === undefined || rest.length > 0 ? null : privateKeyOf(material);
  if (key?.asymmetricKeyType === 'ed25519') return signerOf(key);
  throw new TollgateError(
    'invalidInput',
    'TOLLGATE_DECISION_KEY (not shown) is not one Ed25519 private key: a file with its PEM, or its PKCS #8 in base64, as "npx tollgate keys pair" makes it.',
  );
}

/**
 * What verifies decisions, from TOLLGATE_DECISION_PUBLIC_KEYS: a decision counts that any of them has signed, so that a new
 * pair can come before the old one goes. @throws TollgateError `invalidInput`, also for a private key, which no worker should hold.
 */
export function openVerifyingKeys(setting: string): DecisionVerifier {
  const keys = materialOf('TOLLGATE_DECISION_PUBLIC_KEYS', setting).map(publicKeyOf);
  if (keys.length === 0) throw notPublic();
  return firstOf(keys.map(verifierOf));
}

/** A decision counts that any of them takes. */
export function firstOf(verifiers: readonly DecisionVerifier[]): DecisionVerifier {
  const first = <T>(read: (verifier: DecisionVerifier) => T | null): T | null => {
    for (const verifier of verifiers) {
      const said = read(verifier);
      if (said) return said;
    }
    return null;
  };
  return {
    verify: (signed) => first((verifier) => verifier.verify(signed)),
    readStatement: (signed) => first((verifier) => verifier.readStatement(signed)),
  };
}

/** Only what nobody is said to have verified: a worker's own key never speaks for a person. */
export function unverifiedOnly(verifier: DecisionVerifier): DecisionVerifier {
  return {
    verify: (signed) => {
      const decision = verifier.verify(signed);
      return decision?.unverified === true ? decision : null;
    },
    readStatement: () => null,
  };
}

/** A new pair, each half on one line: PKCS #8 and SPKI in base64. */
export function newDecisionKeyPair(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  });
  return { privateKey: privateKey.toString('base64'), publicKey: publicKey.toString('base64') };
}

type Material = { readonly pem: string } | { readonly der: Buffer };

function materialOf(name: string, setting: string): readonly Material[] {
  if (setting.includes('-----BEGIN')) return pems(setting);
  const parts = setting.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '').flatMap((part) => (BASE64.test(part) ? [{ der: Buffer.from(part, 'base64') }] : inFile(name, part)));
}

function pems(text: string): readonly Material[] {
  return (text.match(PEM) ?? []).map((pem) => ({ pem }));
}

function inFile(name: string, path: string): readonly Material[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // What was meant as a key and is none must not be printed as if it were a path.
    throw new TollgateError('invalidInput', `${name} (not shown) names a file that can't be read (${code ?? 'unknown'}).`, { cause });
  }
  return BASE64.test(text) ? [{ der: Buffer.from(text, 'base64') }] : pems(text);
}

function privateKeyOf(material: Material): KeyObject | null {
  try {
    return 'pem' in material ? createPrivateKey(material.pem) : createPrivateKey({ key: material.der, format: 'der', type: 'pkcs8' });
  } catch {
    return null;
  }
}

function publicKeyOf(material: Material): KeyObject {
  // Node would make the public key out of a private one without a word.
  if (privateKeyOf(material)) throw notPublic();
  try {
    const key = 'pem' in material ? createPublicKey(material.pem) : createPublicKey({ key: material.der, format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {}
  throw notPublic();
}

function notPublic(): TollgateError {
  return new TollgateError(
    'invalidInput',
    'TOLLGATE_DECISION_PUBLIC_KEYS (not shown) must be Ed25519 public keys, by comma: files with their PEM, or SPKI in base64. A private key has no place there: only the API holds it.',
  );
}
