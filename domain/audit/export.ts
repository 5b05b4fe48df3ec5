import type { RunKey } from '../../contracts/ids.ts';
import type { JsonValue } from '../../contracts/json.ts';
import { ANCHORS_CHAIN } from './chain.ts';
import type { AuditChainStore, ChainedAuditRecord } from './store-port.ts';

/** What of the audit; all that is given must hold. */
export interface AuditSelection {
  readonly runKey?: RunKey;
  /** Chains of this tenant's runs, and of the tenant itself. */
  readonly tenant?: string;
  readonly fromMs?: number;
  /** Not part of it any more. */
  readonly toMs?: number;
}

/** The first line of an export. */
export interface ExportHeader {
  readonly tollgateAudit: 1;
  readonly exportedAtMs: number;
  readonly selection: AuditSelection;
}

export interface ExportedRow {
  readonly chain: string;
  readonly sequence: number;
  readonly atMs: number;
  readonly type: string;
  readonly actor: string;
  /** `[erased]` where it was. */
  readonly data: JsonValue;
  readonly salt: string | null;
  readonly dataDigest: string;
  readonly previousHash: string;
  readonly hash: string;
}

/** A row that no chain has, as it is stored. */
export interface ExportedUnchained {
  readonly unchained: {
    readonly sequence: number;
    readonly atMs: number;
    readonly type: string;
    readonly actor: string;
    readonly data: JsonValue;
    readonly runKey: RunKey | null;
  };
}

export type ExportedLine = ExportedRow | ExportedUnchained;

/** The last line of an export. */
export interface ExportEnd {
  readonly end: { readonly rows: number };
}

/** Where the next page begins. */
export interface ExportCursor {
  /** The last chain begun; 0 is that of the anchors, -1 the rows outside of chains. */
  readonly chain: number;
  /** The last row of it that was given. */
  readonly after: number;
}

export interface ExportPage {
  readonly lines: readonly ExportedLine[];
  /** Null at the end. */
  readonly next: ExportCursor | null;
}

export const MAX_PAGE_ROWS = 500;
const START: ExportCursor = { chain: 0, after: 0 };

/**
 * One page of an export. Anchors come first, so that every row they name is there when its chain is read; then each chain
 * from its first row, so that nobody who writes meanwhile leaves a gap.
 */
export async function exportPage(store: AuditChainStore, selection: AuditSelection, cursor: ExportCursor | null, limit = MAX_PAGE_ROWS): Promise<ExportPage> {
  const { chain, after } = cursor ?? START;
  if (chain < 0) return isWhole(selection) ? await unchainedPage(store, after, limit) : { lines: [], next: null };
  const name = chain === 0 ? ANCHORS_CHAIN : (await store.listChains({ ...ofChains(selection), after: chain - 1, limit: 1 }))[0]?.chain;
  const rows = name === undefined ? [] : await store.listChain({ chain: name, after, ...periodOf(selection, chain === 0), limit });
  const lines = rows.map(exported);
  if (rows.length === limit) return { lines, next: { chain, after: rows.at(-1)?.link.sequence ?? after } };
  return { lines, next: await nextChain(store, selection, chain) };
}

async function nextChain(store: AuditChainStore, selection: AuditSelection, position: number): Promise<ExportCursor | null> {
  for (let after = position; ; ) {
    const [next] = await store.listChains({ ...ofChains(selection), after, limit: 1 });
    if (!next) break;
    if (next.chain !== ANCHORS_CHAIN) return { chain: next.position, after: 0 };
    after = next.position;
  }
  // What belongs to no chain belongs to no tenant's export either.
  return isWhole(selection) ? { chain: -1, after: 0 } : null;
}

async function unchainedPage(store: AuditChainStore, after: number, limit: number): Promise<ExportPage> {
  const rows = await store.listUnchained({ after, limit });
  const lines = rows.map(({ sequence, atMs, type, actor, data, runKey }) => ({ unchained: { sequence, atMs, type, actor, data, runKey } }));
  return { lines, next: rows.length === limit ? { chain: -1, after: rows.at(-1)?.sequence ?? after } : null };
}

/** Everything from the first page to the last, with header and end. */
export async function* exportAudit(store: AuditChainStore, selection: AuditSelection, nowMs: number): AsyncGenerator<ExportHeader | ExportedLine | ExportEnd> {
  yield { tollgateAudit: 1, exportedAtMs: nowMs, selection };
  let rows = 0;
  for (let cursor: ExportCursor | null = START; cursor; ) {
    const page: ExportPage = await exportPage(store, selection, cursor);
    for (const line of page.lines) yield line;
    rows += page.lines.length;
    cursor = page.next;
  }
  yield { end: { rows } };
}

export function isWhole({ runKey, tenant, fromMs, toMs }: AuditSelection): boolean {
  return runKey === undefined && tenant === undefined && fromMs === undefined && toMs === undefined;
}

function ofChains({ runKey, tenant }: AuditSelection) {
  return { ...(runKey ? { runKey } : {}), ...(tenant === undefined ? {} : { tenant }) };
}

/** Anchors of after the period prove what is in it. */
function periodOf({ fromMs, toMs }: AuditSelection, isAnchors: boolean) {
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined || isAnchors ? {} : { toMs }) };
}

function exported({ atMs, type, actor, data, link }: ChainedAuditRecord): ExportedRow {
  const { chain, sequence, previousHash, hash, dataDigest, salt } = link;
  return { chain, sequence, atMs, type, actor, data, salt, dataDigest, previousHash, hash };
}
