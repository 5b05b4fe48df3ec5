import type { Keyring } from '../encryption/port.ts';
import type { Store } from '../store/port.ts';
import { DATA_CLASSES, type DataClass } from './store-port.ts';

/** How long each class of data is kept after the end of its run, in milliseconds; absent: for ever. */
export type Retention = { readonly [Class in DataClass]?: number };

export interface RetentionReport {
  /** Runs of which something was removed, by class. */
  readonly removed: Readonly<Record<DataClass, number>>;
  /** Whether there is more to do than one pass does. */
  readonly isMore: boolean;
}

/**
 * One pass: removes what is older than its class is kept for, of at most `limit` ended runs for each class, oldest first.
 * `audit` destroys the run's key, so everything else goes with it. Responses at providers stay: an erasure deletes those.
 */
export async function applyRetention(
  { store, keyring }: { readonly store: Store; readonly keyring: Keyring },
  retention: Retention,
  limit: number,
): Promise<RetentionReport> {
  const nowMs = await store.nowMs();
  const removed: Record<DataClass, number> = { transcripts: 0, journals: 0, vault: 0, audit: 0 };
  let isMore = false;
  for (const dataClass of DATA_CLASSES) {
    const keptMs = retention[dataClass];
    if (keptMs === undefined) continue;
    const runs = await store.listErasable({ endedBeforeMs: nowMs - keptMs, notRemoved: [dataClass], limit });
    for (const { runKey, tenant } of runs) {
      if (dataClass === 'audit') await keyring.destroy({ type: 'run', tenant, runKey });
      await store.eraseRun(runKey, dataClass === 'audit' ? DATA_CLASSES : [dataClass]);
      removed[dataClass] += 1;
    }
    if (runs.length === limit) isMore = true;
  }
  return { removed, isMore };
}
