import type { JsonObject } from '../../contracts/json.ts';
import type { AnchorSigner, AuditChainStore } from './store-port.ts';
import { anchorText } from './verify.ts';

export interface AnchorReport {
  readonly anchors: number;
  readonly heads: number;
  /** The hash of the newest one; null where there was nothing to anchor. */
  readonly hash: string | null;
}

/** Writes anchors until every chain is anchored, at most `limit`; the next call goes on. */
export async function anchorAudit(store: AuditChainStore, signer: AnchorSigner, limit: number): Promise<AnchorReport> {
  let report: AnchorReport = { anchors: 0, heads: 0, hash: null };
  for (let written = 1; written <= limit; written += 1) {
    const anchor = await store.anchorAudit((content) => ({ ...content, ...signer.sign(anchorText(content)) }) as unknown as JsonObject);
    if (!anchor) break;
    report = { anchors: written, heads: report.heads + anchor.heads, hash: anchor.hash };
    if (!anchor.isMore) break;
  }
  return report;
}
