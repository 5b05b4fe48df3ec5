import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A process that lived this long is trusted again, in milliseconds. */
const STABLE_MS = 60_000;

/** A process of ours, stopped by its own pid. */
export interface RunningChild {
  readonly pid: number;
  /** How it ended, in words. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
}

export interface Supervised<Child extends RunningChild> {
  /** The child of the first start. */
  readonly first: Child;
  stop(): Promise<void>;
}

/**
 * Starts a process and starts it anew whenever it ends by itself, with growing waits. The first start must succeed.
 * @throws what the first `start` throws.
 */
export async function supervise<Child extends RunningChild>(
  name: string,
  start: () => Promise<Child>,
  note: (line: string) => void,
): Promise<Supervised<Child>> {
  const stopping = new AbortController();
  const first = await start();
  let current: Child | null = first;

  async function keepAlive(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    let startedMs = Date.now();
    for (;;) {
      if (current) {
        const how = await current.exited;
        if (stopping.signal.aborted) return;
        if (Date.now() - startedMs >= STABLE_MS) delayMs = FIRST_DELAY_MS;
        note(`The ${name} stopped (${how}); starting it again in ${delayMs / 1_000} s.`);
      }
      await sleep(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      delayMs = Math.min(MAX_DELAY_MS, delayMs * 2);
      startedMs = Date.now();
      current = await start().catch((error: unknown) => {
        note(error instanceof Error ? error.message : String(error));
        return null;
      });
      if (current && stopping.signal.aborted) await current.stop();
      else if (current) note(`The ${name} runs again.`);
    }
  }

  const keeping = keepAlive();
  return {
    first,
    async stop() {
      stopping.abort();
      await current?.stop();
      await keeping;
    },
  };
}
