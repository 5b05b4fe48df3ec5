import { createHash, randomBytes } from 'node:crypto';
import type { JsonValue } from '../../contracts/json.ts';
import { chainOf, dataDigest, entryDigest } from '../../domain/audit/chain.ts';
import type { AuditEntry } from '../../domain/store/port.ts';

export function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** The digest over what is said in a row, and the salt without which nothing can be guessed from it. */
export function commitTo(data: JsonValue): { readonly digest: string; readonly salt: string } {
  const salt = randomBytes(16).toString('hex');
  return { digest: dataDigest(sha256, data, salt), salt };
}

/** What both stores write of an entry, its place in the chain aside. */
export interface AuditRow {
  readonly chain: string;
  readonly type: string;
  readonly actor: string;
  readonly data: string;
  readonly dataDigest: string;
  readonly salt: string | null;
  readonly entry: string;
}

/** A fact is kept for ever and is hashed as it is; contents can be erased, and are in the hash by a salted digest. */
export function toAuditRow({ type, runKey, tenant, actor, data, commitment, isFact }: AuditEntry & { readonly isFact?: boolean }): AuditRow {
  const text = JSON.stringify(data);
  const stored = JSON.parse(text) as JsonValue;
  const { digest, salt } = commitment ?? (isFact ? { digest: dataDigest(sha256, stored, null), salt: null } : commitTo(stored));
  const chain = chainOf(runKey, tenant, isFact ? type : undefined);
  return { chain, type, actor, data: text, dataDigest: digest, salt, entry: entryDigest(sha256, { chain, type, actor, dataDigest: digest }) };
}
