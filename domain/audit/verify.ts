import {
  ANCHOR_TYPE,
  ANCHORS_CHAIN,
  chainDigest,
  chainOf,
  dataDigest,
  entryDigest,
  ERASED_CONTENTS,
  ERASED_TYPE,
  GENESIS,
  linkText,
  type Sha256,
  unchainedText,
} from './chain.ts';
import { anchorOf, isEnd, isRow, isUnchained } from './export-guards.ts';
import { type AuditSelection, type ExportedRow, type ExportedUnchained, isWhole } from './export.ts';
import type { AnchorContent } from './store-port.ts';

export type FindingKind = 'changed' | 'removed' | 'outOfOrder' | 'added' | 'notErased' | 'badSignature' | 'unanchored' | 'unreadable' | 'cutShort';

/** One thing that is wrong, and where. */
export interface Finding {
  readonly kind: FindingKind;
  /** Line of the export, from 1; null where it is about something that is missing. */
  readonly line: number | null;
  readonly chain: string | null;
  readonly sequence: number | null;
  readonly message: string;
}

export interface VerificationReport {
  readonly isIntact: boolean;
  readonly rows: number;
  readonly chains: number;
  readonly anchors: number;
  /** Rows whose contents were erased; that they existed, who wrote them and when is proven all the same. */
  readonly erased: number;
  /** Rows of before chains that an anchor has taken in: proven from then on, and not from when they were written. */
  readonly adopted: number;
  /** Rows of before chains that no anchor has taken in yet: nothing proves them. */
  readonly unproven: number;
  /** Keys that anchors are signed with. */
  readonly signedBy: readonly string[];
  readonly findings: readonly Finding[];
  /** Of which `findings` has the first. */
  readonly findingCount: number;
}

export interface VerifyOptions {
  readonly sha256: Sha256;
  readonly verifySignature: (text: string, publicKey: string, signature: string) => boolean;
  /** Keys that anchors must be signed with; unset: whichever. */
  readonly trustedKeys?: readonly string[];
  /** The hash of an anchor that was noted elsewhere, and that must be there. */
  readonly expectedAnchor?: string;
}

const MAX_FINDINGS = 100;

interface Walk {
  readonly chain: string;
  readonly digest: string;
  readonly first: number;
  last: number;
  hash: string;
  erased: number[];
  isErasureRecorded: boolean;
}

/** Walks through an export once, in memory that grows with its anchors and not with its rows. */
export class AuditVerifier {
  readonly #options: VerifyOptions;
  readonly #findings: Finding[] = [];
  #findingCount = 0;
  #selection: AuditSelection = {};
  #line = 0;
  #rows = 0;
  #hasHeader = false;
  #hasEnd = false;
  #walk: Walk | null = null;
  readonly #seen = new Set<string>();
  /** By digest of the chain: what anchors say of it, by sequence. */
  readonly #anchored = new Map<string, { newest: number; readonly rows: Map<number, string> }>();
  readonly #adoptions: NonNullable<AnchorContent['unchained']>[] = [];
  readonly #signedBy = new Set<string>();
  #unchained = { sequence: 0, count: 0, hash: GENESIS };
  #adopted = 0;
  #unproven = 0;
  #erased = 0;
  #anchors = 0;
  #hasExpected = false;

  constructor(options: VerifyOptions) {
    this.#options = options;
  }

  /** The next line, parsed; undefined where it is no JSON. */
  take(line: unknown): void {
    this.#line += 1;
    if (this.#hasEnd) this.#find('added', 'something comes after the end of the export');
    else if (!this.#hasHeader) this.#header(line);
    else if (isEnd(line)) this.#end(line.end.rows);
    else if (isRow(line)) this.#row(line);
    else if (isUnchained(line)) this.#outside(line.unchained);
    else this.#find('unreadable', 'this line is no row of the audit');
  }

  finish(): VerificationReport {
    this.#leaveChain();
    if (!this.#hasEnd) this.#find('cutShort', 'the export has no end: something may be missing after its last line', { line: null });
    if (isWhole(this.#selection)) this.#missingChains();
    else this.#missingRun(this.#selection);
    const { expectedAnchor } = this.#options;
    if (expectedAnchor !== undefined && !this.#hasExpected)
      this.#find('removed', `there is no anchor with the hash ${expectedAnchor}`, { line: null, chain: ANCHORS_CHAIN });
    this.#unproven += this.#unchained.count;
    return {
      isIntact: this.#findingCount === 0,
      rows: this.#rows,
      chains: this.#seen.size,
      anchors: this.#anchors,
      erased: this.#erased,
      adopted: this.#adopted,
      unproven: this.#unproven,
      signedBy: [...this.#signedBy],
      findings: this.#findings,
      findingCount: this.#findingCount,
    };
  }

  #header(line: unknown): void {
    this.#hasHeader = true;
    const header = line as { readonly tollgateAudit?: unknown; readonly selection?: AuditSelection } | null;
    if (header?.tollgateAudit === 1 && typeof header.selection === 'object') this.#selection = header.selection;
    else this.#find('unreadable', 'the export does not begin with its header');
  }

  #end(rows: number): void {
    this.#hasEnd = true;
    if (rows !== this.#rows) this.#find('cutShort', `the export says that it has ${rows} rows, and has ${this.#rows}`);
  }

  #row(row: ExportedRow): void {
    this.#rows += 1;
    const walk = this.#walk?.chain === row.chain ? this.#walk : this.#enterChain(row);
    const { sha256 } = this.#options;
    const place = { chain: row.chain, sequence: row.sequence };
    const expected = walk.last + 1;
    if (row.sequence > expected)
      this.#find('removed', `row ${expected}${row.sequence > expected + 1 ? ` to ${row.sequence - 1}` : ''} is missing before this one`, place);
    else if (row.sequence < expected) this.#find('outOfOrder', `row ${row.sequence} comes after row ${walk.last}: it was moved or added`, place);
    else if (row.previousHash !== walk.hash) this.#find('changed', 'it does not continue the row before it: that one was changed or replaced', place);
    this.#checkContents(row, walk, place);
    const entry = entryDigest(sha256, row);
    if (sha256(linkText(row.previousHash, row.sequence, row.atMs, entry)) !== row.hash) this.#find('changed', 'its hash is not that of what it says', place);
    const anchored = this.#anchored.get(walk.digest)?.rows.get(row.sequence);
    if (anchored !== undefined && anchored !== row.hash) this.#find('changed', 'it is not the row that an anchor names', place);
    walk.last = Math.max(walk.last, row.sequence);
    walk.hash = row.hash;
    if (row.type === ERASED_TYPE) walk.isErasureRecorded = true;
    if (row.chain === ANCHORS_CHAIN) this.#anchor(row, place);
  }

  #checkContents(row: ExportedRow, walk: Walk, place: { readonly chain: string; readonly sequence: number }): void {
    const isSalted = row.dataDigest.startsWith('salted:');
    if (isSalted && row.salt === null) {
      this.#erased += 1;
      if (row.data === ERASED_CONTENTS) walk.erased.push(row.sequence);
      else this.#find('changed', 'its contents have no salt, and were not erased', place);
      return;
    }
    if ((!isSalted && row.salt !== null) || dataDigest(this.#options.sha256, row.data, row.salt) !== row.dataDigest)
      this.#find('changed', 'its contents are not those that were written', place);
  }

  #enterChain(row: ExportedRow): Walk {
    this.#leaveChain();
    const { chain } = row;
    if (this.#seen.has(chain)) this.#find('outOfOrder', 'its chain was left before', { chain, sequence: row.sequence });
    else if (chain === ANCHORS_CHAIN && this.#seen.size > 0) this.#find('outOfOrder', 'anchors come first', { chain, sequence: row.sequence });
    this.#seen.add(chain);
    // A period begins where it begins; everything else with the first row.
    const isCut = this.#selection.fromMs !== undefined;
    const last = isCut ? row.sequence - 1 : 0;
    const walk: Walk = {
      chain,
      digest: chainDigest(this.#options.sha256, chain),
      first: row.sequence,
      last,
      hash: isCut ? row.previousHash : GENESIS,
      erased: [],
      isErasureRecorded: false,
    };
    this.#walk = walk;
    return walk;
  }

  #leaveChain(): void {
    const walk = this.#walk;
    this.#walk = null;
    if (!walk) return;
    const { toMs, fromMs } = this.#selection;
    const isOpenEnded = toMs !== undefined && walk.chain !== ANCHORS_CHAIN;
    const anchored = this.#anchored.get(walk.digest)?.newest ?? 0;
    if (!isOpenEnded && anchored > walk.last)
      this.#find('removed', `an anchor names row ${anchored} of this chain, which ends with row ${walk.last}: its tail is missing`, {
        line: null,
        chain: walk.chain,
        sequence: anchored,
      });
    if (walk.erased.length > 0 && !walk.isErasureRecorded && !isOpenEnded && fromMs === undefined)
      for (const sequence of walk.erased)
        this.#find('notErased', 'its contents are missing, and its chain records no erasure', { line: null, chain: walk.chain, sequence });
  }

  #anchor(row: ExportedRow, place: { readonly chain: string; readonly sequence: number }): void {
    this.#anchors += 1;
    if (row.hash === this.#options.expectedAnchor) this.#hasExpected = true;
    const content = anchorOf(row.data);
    if (row.type !== ANCHOR_TYPE || !content) {
      this.#find('unreadable', 'it is no anchor', place);
      return;
    }
    this.#checkSignature(row.data as unknown as SignedAnchor, place);
    for (const [chain, sequence, hash] of content.heads) {
      const known = this.#anchored.get(chain) ?? { newest: 0, rows: new Map<number, string>() };
      known.newest = Math.max(known.newest, sequence);
      known.rows.set(sequence, hash);
      this.#anchored.set(chain, known);
    }
    if (content.unchained) this.#adoptions.push(content.unchained);
  }

  #checkSignature({ publicKey, signature, ...content }: SignedAnchor, place: { readonly chain: string; readonly sequence: number }): void {
    const { trustedKeys, verifySignature } = this.#options;
    if (publicKey === undefined || signature === undefined) {
      if (trustedKeys) this.#find('badSignature', 'the anchor is not signed', place);
      return;
    }
    this.#signedBy.add(publicKey);
    if (trustedKeys && !trustedKeys.includes(publicKey))
      this.#find('badSignature', `the anchor is signed with a key that you did not name (${publicKey})`, place);
    else if (!verifySignature(anchorText(content), publicKey, signature)) this.#find('badSignature', "the anchor's signature is wrong", place);
  }

  #outside(row: ExportedUnchained['unchained']): void {
    this.#leaveChain();
    this.#rows += 1;
    const place = { chain: null, sequence: row.sequence };
    if (row.sequence <= this.#unchained.sequence) this.#find('outOfOrder', 'rows outside of chains go by their number', place);
    const count = this.#unchained.count + 1;
    this.#unchained = { sequence: row.sequence, count, hash: this.#options.sha256(unchainedText(this.#unchained.hash, row)) };
    const [adoption] = this.#adoptions;
    if (!adoption || row.sequence < adoption.through) return;
    if (row.sequence > adoption.through) this.#find('removed', `row ${adoption.through}, with which an anchor ends, is missing`, place);
    else if (count !== adoption.count || this.#unchained.hash !== adoption.hash)
      this.#find(
        'changed',
        `of the ${adoption.count} rows outside of chains up to this one, which an anchor took in, some were changed, removed or added`,
        place,
      );
    this.#adopted += count;
    this.#adoptions.shift();
    this.#unchained = { sequence: row.sequence, count: 0, hash: GENESIS };
  }

  #missingChains(): void {
    const digests = new Set([...this.#seen].map((chain) => chainDigest(this.#options.sha256, chain)));
    for (const [digest, { newest }] of this.#anchored)
      if (!digests.has(digest))
        this.#find('removed', `a whole chain of at least ${newest} rows is missing (its name has the digest ${digest})`, { line: null });
    for (const { count, through } of this.#adoptions)
      this.#find('removed', `${count} rows outside of chains, up to number ${through}, are missing`, { line: null, sequence: through });
  }

  /** An export of one run, from its beginning to its end, has its chain. */
  #missingRun({ runKey, fromMs, toMs }: AuditSelection): void {
    if (!runKey || fromMs !== undefined || toMs !== undefined) return;
    const chain = chainOf(runKey);
    const anchored = this.#anchored.get(chainDigest(this.#options.sha256, chain));
    if (anchored && !this.#seen.has(chain))
      this.#find('removed', `the whole chain of the run is missing: at least ${anchored.newest} rows`, { line: null, chain });
  }

  #find(kind: FindingKind, message: string, place: { readonly line?: null; readonly chain?: string | null; readonly sequence?: number } = {}): void {
    this.#findingCount += 1;
    if (this.#findings.length >= MAX_FINDINGS) return;
    this.#findings.push({ kind, line: place.line === null ? null : this.#line, chain: place.chain ?? null, sequence: place.sequence ?? null, message });
  }
}

/** An anchor as it stands in the audit. */
export type SignedAnchor = AnchorContent & { readonly publicKey?: string; readonly signature?: string };

/** What is signed of an anchor. */
export function anchorText({ heads, unchained }: AnchorContent): string {
  const taken = unchained ? [unchained.count, unchained.through, unchained.hash] : null;
  return JSON.stringify(['tollgate.audit.anchor.1', heads, taken]);
}
