import { ActivityCancellationType, type ActivityOptions, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/port.ts';
import { readable } from './readable.ts';

/**
 * Set everywhere: what the SDK takes when it is left out is TRY_CANCEL, which closes the workflow before a paid reply
 * has been written down.
 */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;

/** What may throw (a full or locked store, a missing tool version) gets better with time, so there is no last try. */
const retry = { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' } as const;

/** A dead worker is noticed after this long; a run goes on within ten seconds of its worker's death. */
const heartbeatTimeout = '4s';

/** Beyond a call's own deadline: waiting for a paid reply after a cancellation, and writing it into a store that is busy. */
const MARGIN_MS = 60_000;

/** Store work only. Short enough to need no heartbeat. */
export const journal = proxyActivities<Omit<Activities, 'callModel' | 'executeTool'>>({ startToCloseTimeout: '6s', cancellationType, retry });

/** Calls to the outside. `outsideOptions` gives each its deadline and its line in the Temporal UI. */
export const outside = proxyActivities<Pick<Activities, 'callModel' | 'executeTool'>>({
  startToCloseTimeout: '10m',
  heartbeatTimeout,
  cancellationType,
  retry,
});

export function outsideOptions(ownDeadlineMs: number, summary: string): ActivityOptions {
  return { startToCloseTimeout: ownDeadlineMs + MARGIN_MS, heartbeatTimeout, summary: readable(summary) };
}

/**
 * Short reads within the workflow task. One try, and short of the workflow task's own time (10 s): a worker that dies in it
 * is noticed no later than ever, and a read that takes longer or fails goes the ordinary way.
 */
export const nearby = proxyLocalActivities<Pick<Activities, 'executeTool'>>({
  startToCloseTimeout: '5s',
  cancellationType,
  retry: { maximumAttempts: 1 },
});
