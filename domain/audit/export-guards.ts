import type { JsonValue } from '../../contracts/json.ts';
import type { ExportedRow, ExportedUnchained } from './export.ts';
import type { AnchorContent } from './store-port.ts';

// What a line of an export is; anybody may have written it. Nothing here throws.

const ROW_FIELDS = 10;

export function anchorOf(data: JsonValue): AnchorContent | null {
  const content = data as unknown as Partial<AnchorContent> | null;
  const isHead = (head: unknown) => Array.isArray(head) && head.length === 3 && typeof head[0] === 'string' && Number.isSafeInteger(head[1]);
  return Array.isArray(content?.heads) && content.heads.every(isHead) ? (content as AnchorContent) : null;
}

export function isRow(line: unknown): line is ExportedRow {
  const row = line as Record<string, unknown> | null;
  if (
    row === null ||
    typeof row !== 'object' ||
    Object.keys(row).length !== ROW_FIELDS ||
    !('data' in row) ||
    (row.salt !== null && typeof row.salt !== 'string')
  )
    return false;
  const texts = ['chain', 'type', 'actor', 'dataDigest', 'previousHash', 'hash'].every((name) => typeof row[name] === 'string');
  return texts && Number.isSafeInteger(row.sequence) && Number.isSafeInteger(row.atMs);
}

export function isUnchained(line: unknown): line is ExportedUnchained {
  const row = (line as { readonly unchained?: Record<string, unknown> } | null)?.unchained;
  return typeof row === 'object' && row !== null && Number.isSafeInteger(row.sequence) && typeof row.type === 'string' && 'data' in row;
}

export function isEnd(line: unknown): line is { readonly end: { readonly rows: number } } {
  const end = (line as { readonly end?: { readonly rows?: unknown } } | null)?.end;
  return typeof end === 'object' && end !== null && Number.isSafeInteger(end.rows);
}
