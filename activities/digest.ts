import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { invariant } from '../contracts/failures.ts';

/** SHA-256, in hex, over the canonical JSON (RFC 8785) of `value`. @throws TollgateError where `value` is no JSON. */
export function canonicalDigest(value: unknown): string {
  const text = canonicalize(value);
  invariant(text !== undefined, 'what is digested is JSON');
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** SHA-256, in hex, over the UTF-8 bytes of `text`, as the store names contents. */
export function textDigest(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
