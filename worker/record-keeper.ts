import type { Logger } from 'pino';
import { openAnchorKey } from '../adapters/keys/anchor-key.ts';
import type { Settings } from '../config/schema.ts';
import { anchorAudit } from '../domain/audit/anchor.ts';
import type { Store } from '../domain/store/port.ts';

/** How often chains that have grown are anchored; what is younger is proven by its chain alone. */
const ANCHOR_INTERVAL_MS = 60_000;
/** Anchors of one pass. */
const MAX_ANCHORS = 20;

/** Bounded work at each call: anchors of the audit, once a minute. */
export function recordKeeper({ home }: Settings, store: Store, logger: Logger): () => Promise<void> {
  const signer = openAnchorKey(home);
  let nextMs = 0;
  return async () => {
    if (Date.now() < nextMs) return;
    nextMs = Date.now() + ANCHOR_INTERVAL_MS;
    const { anchors, heads, hash } = await anchorAudit(store, signer, MAX_ANCHORS);
    // Whoever keeps the logs elsewhere can prove that no anchor was taken away.
    if (anchors > 0) logger.info({ heads, anchor: hash }, 'audit anchored');
  };
}
