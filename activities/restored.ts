import { activityInfo } from '@temporalio/activity';
import { TollgateError } from '../contracts/failures.ts';
import type { Store } from '../domain/store/port.ts';

/** How far the clocks of Temporal and the store may be apart. */
const CLOCK_SKEW_MS = 5_000;

/**
 * Asked before something is sent that the journal does not know of. Where an earlier execution of this activity may have
 * sent it, and the store was restored since, its absence proves nothing.
 * @throws TollgateError `journalMissing`; nothing is sent.
 */
export async function mustNotBeRestored(store: Store, what: string): Promise<void> {
  const { attempt, scheduledTimestampMs } = activityInfo();
  if (attempt === 1) return;
  const restoredAtMs = await store.lastRestoredAtMs();
  if (restoredAtMs === null || restoredAtMs + CLOCK_SKEW_MS < scheduledTimestampMs) return;
  throw new TollgateError(
    'journalMissing',
    `The store was restored from a backup at ${new Date(restoredAtMs).toISOString()}, while ${what} may have been under way, and does not know of it. Nothing was sent now. Look at the destination's own records; restore the newer store, or cancel the run.`,
  );
}
