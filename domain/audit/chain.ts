import type { RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';

/** SHA-256 in hex over the UTF-8 of a text; comes in as an argument, since domain computes no digests itself. */
export type Sha256 = (text: string) => string;

/** What stands in an audit row for contents that were erased. */
export const ERASED_CONTENTS = '[erased]';

/** The hash before the first row of every chain. */
export const GENESIS = '0'.repeat(64);

/** The chain of the anchors over all others. */
export const ANCHORS_CHAIN = 'anchors';

/** Types of audit rows that the chain itself writes. */
export const ANCHOR_TYPE = 'audit.anchor';
export const ERASED_TYPE = 'audit.erased';

/** The place of an audit row in its chain. */
export interface ChainLink {
  readonly chain: string;
  /** 1, 2, 3 in the chain. */
  readonly sequence: number;
  readonly previousHash: string;
  readonly hash: string;
  /** `sha256:…` over a fact, `salted:…` over contents that an erasure may remove. */
  readonly dataDigest: string;
  /** What the digest was salted with; null for facts, and where the contents were erased. */
  readonly salt: string | null;
}

/** A run has a chain of its own; what belongs to no run, one for its tenant, else the one of the installation. */
export function chainOf(runKey: RunKey | null, tenant?: string, type?: string): string {
  if (type === ANCHOR_TYPE) return ANCHORS_CHAIN;
  if (runKey) return `run:${runKey.agentRunId}/${runKey.firstExecutionRunId}`;
  return tenant === undefined ? 'global' : `tenant:${tenant}`;
}

/**
 * What a row says, without its contents: those are in it by their digest alone. With a salt, the digest tells nothing of
 * contents that were erased, however few they could have been.
 */
export function dataDigest(sha256: Sha256, data: JsonValue, salt: string | null): string {
  const text = canonicalJson(data);
  return salt === null ? `sha256:${sha256(text)}` : `salted:${sha256(`${salt}\n${text}`)}`;
}

/** Everything of a row that is known before its place in the chain is. */
export function entryDigest(
  sha256: Sha256,
  row: { readonly chain: string; readonly type: string; readonly actor: string; readonly dataDigest: string },
): string {
  return sha256(JSON.stringify(['tollgate.audit.1', row.chain, row.type, row.actor, row.dataDigest]));
}

/** The text whose SHA-256 is a row's hash. Postgres computes it in SQL, under the lock of the chain's head. */
export function linkText(previousHash: string, sequence: number, atMs: number, entry: string): string {
  return [previousHash, sequence, atMs, entry].join('\n');
}

/** The text whose SHA-256 stands for a row outside of every chain and all those that an anchor takes in before it. */
export function unchainedText(previous: string, { sequence, atMs, type, actor, data, runKey }: UnchainedRow): string {
  return `${previous}\n${JSON.stringify([sequence, atMs, type, actor, runKey ? chainOf(runKey) : null])}\n${canonicalJson(data)}`;
}

export interface UnchainedRow {
  readonly sequence: number;
  readonly atMs: number;
  readonly type: string;
  readonly actor: string;
  /** As it is stored, sealed or not. */
  readonly data: JsonValue;
  readonly runKey: RunKey | null;
}

/** How anchors name a chain: whoever has only the anchors learns nothing of runs. */
export function chainDigest(sha256: Sha256, chain: string): string {
  return sha256(chain).slice(0, 32);
}

/**
 * Canonical JSON (RFC 8785) of a value that came from JSON. Beyond the RFC, half a surrogate pair is escaped and does not
 * throw: an audit row must be writable whatever a model or a stranger wrote.
 */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const object = value as { readonly [key: string]: JsonValue };
  const keys = Object.keys(object).toSorted();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key] ?? null)}`).join(',')}}`;
}
