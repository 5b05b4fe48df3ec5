import { chainDigest, GENESIS, unchainedText } from '../../domain/audit/chain.ts';
import { type AnchorContent, MAX_ANCHORED_HEADS } from '../../domain/audit/store-port.ts';
import type { AuditRecord } from '../../domain/store/port.ts';
import { sha256 } from './audit-row.ts';
import { integer, type Row, text } from './rows.ts';

export interface PlannedAnchor {
  readonly content: AnchorContent;
  readonly heads: readonly { readonly id: number; readonly sequence: number }[];
  readonly isMore: boolean;
}

/** What the next anchor has, of heads that have grown and rows that no chain has; null where there is neither. */
export function planAnchor(rows: readonly Row[], unchained: readonly AuditRecord[]): PlannedAnchor | null {
  const heads = rows.slice(0, MAX_ANCHORED_HEADS);
  const last = unchained.at(-1);
  if (heads.length === 0 && !last) return null;
  const hash = unchained.reduce((previous, row) => sha256(unchainedText(previous, row)), GENESIS);
  return {
    content: {
      heads: heads.map((row) => [chainDigest(sha256, text(row, 'chain')), integer(row, 'sequence'), text(row, 'hash')] as const),
      ...(last ? { unchained: { count: unchained.length, through: last.sequence, hash } } : {}),
    },
    heads: heads.map((row) => ({ id: integer(row, 'id'), sequence: integer(row, 'sequence') })),
    isMore: rows.length > MAX_ANCHORED_HEADS || unchained.length === MAX_ANCHORED_HEADS,
  };
}
