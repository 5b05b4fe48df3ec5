import { activityInfo, Context } from '@temporalio/activity';

const INTERVAL_MS = 1_000;
/** A call that is over sooner needs no heartbeat of its own: each is a way to the server and back. */
const FIRST_AFTER_MS = 250;

/**
 * Runs `body` while heartbeating, so that a dead worker is noticed and a cancellation arrives. `heartbeat` sends
 * `{reserved: true}` soon and from then on: details that a retry finds when the store has been lost.
 */
export async function withHeartbeat<T>(
  details: { readonly reserved: boolean; readonly initially: boolean },
  body: (heartbeat: () => void) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  // A local activity has no heartbeat: it lives and dies with its workflow task.
  if (context.info.isLocal) return body(() => undefined);
  let reserved = details.initially;
  const beat = () => context.heartbeat({ reserved });
  const timer = setInterval(beat, INTERVAL_MS);
  let first: NodeJS.Timeout | undefined;
  try {
    return await body(() => {
      reserved = details.reserved;
      first = setTimeout(beat, FIRST_AFTER_MS);
    });
  } finally {
    clearInterval(timer);
    clearTimeout(first);
  }
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Writes down what cannot be had again (a paid reply, an effect's outcome): tries until the store takes it, short of the
 * activity's own end. @throws what the store threw last.
 */
export async function persist<T>(write: () => Promise<T>): Promise<T> {
  const { startToCloseTimeoutMs, currentAttemptScheduledTimestampMs } = activityInfo();
  const lastTryMs = currentAttemptScheduledTimestampMs + startToCloseTimeoutMs - 5_000;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
    try {
      return await write();
    } catch (error) {
      if (Date.now() + pauseMs > lastTryMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
