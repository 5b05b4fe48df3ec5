import { activityInfo, Context } from '@temporalio/activity';
import type { Progress } from '../domain/model/provider-port.ts';

const INTERVAL_MS = 1_000;
/** A call that is over sooner needs no heartbeat of its own: each is a way to the server and back. */
const FIRST_AFTER_MS = 250;

/**
 * Runs `body` while heartbeating, so that a dead worker is noticed and a cancellation arrives. `heartbeat` sends
 * `{reserved: true}` soon and from then on: details that a retry finds when the store has been lost. What `watch` is told
 * goes along, so that people see how far a reply has come.
 */
export async function withHeartbeat<T>(
  details: { readonly reserved: boolean; readonly initially: boolean },
  body: (heartbeat: () => void, watch: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  // A local activity has no heartbeat: it lives and dies with its workflow task.
  const ignore = () => undefined;
  if (context.info.isLocal) return body(ignore, ignore);
  let reserved = details.initially;
  let received: Progress | null = null;
  const beat = () => context.heartbeat({ reserved, ...(received ? { received } : {}) });
  const timer = setInterval(beat, INTERVAL_MS);
  let first: NodeJS.Timeout | undefined;
  try {
    const heartbeat = () => {
      reserved = details.reserved;
      first = setTimeout(beat, FIRST_AFTER_MS);
    };
    return await body(heartbeat, (progress) => {
      received = progress;
    });
  } finally {
    clearInterval(timer);
    clearTimeout(first);
  }
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/** A worker that wakes after its activity has ended still has this long to write. */
const LEAST_TIME_MS = 10_000;

/**
 * Writes down what cannot be had again (a paid reply, an effect's outcome): tries until the store takes it, short of the
 * activity's own end. @throws what the store threw last.
 */
export async function persist<T>(write: () => Promise<T>): Promise<T> {
  const { startToCloseTimeoutMs, currentAttemptScheduledTimestampMs } = activityInfo();
  const lastTryMs = Math.max(Date.now() + LEAST_TIME_MS, currentAttemptScheduledTimestampMs + startToCloseTimeoutMs - 5_000);
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    try {
      return await write();
    } catch (error) {
      if (Date.now() + pauseMs > lastTryMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
