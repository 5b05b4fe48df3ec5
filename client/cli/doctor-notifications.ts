import type { Finding } from './doctor.ts';
import type { CliServices } from './services.ts';

/** A notification that waits for longer is waiting for a receiver, or for a worker. */
const LONG_PENDING_MS = 15 * 60_000;

/** Whether people are told about gates. */
export async function checkNotifications(services: CliServices): Promise<Finding> {
  const store = await services.openStore();
  const { pending, dead, oldestPendingAtMs, someDead } = await store.countNotifications();
  const message = `${pending} waiting, ${dead} given up`;
  if (dead > 0) {
    const named = someDead.map(
      ({ approvalId, dead: channels }) =>
        `gate ${approvalId}: ${Object.entries(channels)
          .map(([name, why]) => `${name} (${why})`)
          .join(', ')}`,
    );
    return {
      status: 'problem',
      message: `${message}: ${named.join('; ')}`,
      fix: 'Look at the channels in tollgate.config.ts and at their receivers. The gates are in the inbox all the same. See docs/notifications.md.',
    };
  }
  if (oldestPendingAtMs !== null && (await store.nowMs()) - oldestPendingAtMs > LONG_PENDING_MS)
    return {
      status: 'problem',
      message: `${message}; the oldest since ${new Date(oldestPendingAtMs).toISOString()}`,
      fix: 'Is a worker running, and does the receiver answer? It is tried again by itself.',
    };
  return { status: 'ok', message };
}
