import type { Logger } from 'pino';
import { openAnchorKey } from '../adapters/keys/anchor-key.ts';
import { openNotifiers } from '../adapters/notifiers/open-notifiers.ts';
import { isLoopbackAddress } from '../config/load.ts';
import type { Settings } from '../config/schema.ts';
import { anchorAudit } from '../domain/audit/anchor.ts';
import { deliverNotifications } from '../domain/notification/deliver.ts';
import type { Store } from '../domain/store/port.ts';
import type { ProjectSpec } from '../domain/task/define.ts';

/** How often chains that have grown are anchored; what is younger is proven by its chain alone. */
const ANCHOR_INTERVAL_MS = 60_000;
/** Anchors of one pass. */
const MAX_ANCHORS = 20;
/** How long what was delivered is kept. */
const DELIVERED_KEPT_MS = 7 * 86_400_000;

/** Bounded work at each call: people are told about gates, and once a minute the audit is anchored. @throws TollgateError `invalidInput`. */
export function recordKeeper(
  settings: Settings,
  { notifications = [] }: Pick<ProjectSpec, 'notifications'>,
  store: Store,
  logger: Logger,
): () => Promise<void> {
  const { home, publicUrl, secret, temporal, insecure } = settings;
  const signer = openAnchorKey(home);
  const notifiers = openNotifiers(notifications, { secret, allowLoopback: isLoopbackAddress(temporal.address) || insecure });
  const ports = { store, notifiers, ...(publicUrl === undefined ? {} : { publicUrl }) };
  let nextMs = 0;
  const keep = async () => {
    const { dead } = await deliverNotifications(ports);
    if (dead > 0) logger.warn({ dead }, 'notifications were given up; "tollgate doctor" shows them');
    if (Date.now() < nextMs) return;
    nextMs = Date.now() + ANCHOR_INTERVAL_MS;
    await store.pruneNotifications((await store.nowMs()) - DELIVERED_KEPT_MS);
    const { anchors, heads, hash } = await anchorAudit(store, signer, MAX_ANCHORS);
    // Whoever keeps the logs elsewhere can prove that no anchor was taken away.
    if (anchors > 0) logger.info({ heads, anchor: hash }, 'audit anchored');
  };
  let isBusy = false;
  return async () => {
    if (isBusy) return;
    isBusy = true;
    await keep().finally(() => {
      isBusy = false;
    });
  };
}
