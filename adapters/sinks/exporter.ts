import { randomUUID } from 'node:crypto';
import type { Store } from '../../domain/store/port.ts';
import { feedbackQueue, type Log, type Queue, spanQueue, type Unavailable } from './queue.ts';
import type { Sink } from './sink.ts';

const IDLE_MS = 1_000;
/** What a lease is longer than its requests may take. */
const LEASE_MARGIN_MS = 10_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const TRIM_EVERY_MS = 10_000;
const REGISTER_EVERY_MS = 60_000;
/** A sink that no worker has named for so long is none any more. */
const FORGET_AFTER_MS = 6 * 3_600_000;
const STOP_MS = 3_000;

export interface ExporterOptions {
  readonly store: Store;
  readonly sinks: readonly { readonly sink: Sink; readonly withContent: boolean }[];
  /** How long one request may take. */
  readonly timeoutMs: number;
  /** Rows that are kept for a sink that is down; the oldest beyond that are dropped. */
  readonly maxPending: number;
  readonly log: Log;
}

/**
 * Sends what has ended in the journal, and feedback on it, to the sinks. The queue is a table of the store: a row is there from
 * the transaction in which something ended until its sink has taken it, whatever becomes of this process, so delivery is at
 * least once and every repetition has the same ids. Runs wait for none of it. What a sink refuses, and the oldest where it
 * falls too far behind, is dropped and counted.
 */
export class TraceExporter {
  readonly #options: ExporterOptions;
  readonly #queues: readonly Queue[];
  readonly #holder = randomUUID();
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(options: ExporterOptions) {
    const { store, sinks, log } = options;
    this.#options = options;
    this.#queues = sinks.flatMap(({ sink, withContent }) => [spanQueue(store, sink, withContent, log), feedbackQueue(store, sink, withContent, log)]);
  }

  /** Registers the sinks, so that what ends from now on is kept for them, and begins to send. */
  async start(): Promise<void> {
    await this.#register();
    this.#loops = [...this.#queues.map((queue) => this.#run(queue)), this.#stayRegistered()];
  }

  /** Ends after the requests under way, within some seconds. What is left is sent by whoever comes next. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([Promise.allSettled(this.#loops), new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
  }

  /** One pass over all queues. @internal for tests, and for what is left at the end. */
  async flush(): Promise<void> {
    for (const queue of this.#queues) while ((await this.#sendBatch(queue)).type === 'more');
  }

  async #register(): Promise<void> {
    for (const takes of ['spans', 'feedback'] as const) {
      const names = this.#queues.filter((queue) => queue.takes === takes).map(({ name }) => name);
      await this.#options.store.registerSinks(names, FORGET_AFTER_MS, takes);
    }
  }

  async #stayRegistered(): Promise<void> {
    while (await this.#pause(REGISTER_EVERY_MS))
      await this.#register().catch((error: unknown) => this.#options.log({ error: String(error) }, 'trace sinks could not be registered; tried again'));
  }

  async #run(queue: Queue): Promise<void> {
    let pauseMs = IDLE_MS;
    let failures = 0;
    let trimAtMs = 0;
    do {
      try {
        const sent = await this.#sendBatch(queue);
        if (sent.type === 'unavailable') {
          if (failures === 0)
            this.#options.log({ sink: queue.name, reason: sent.reason }, 'a trace sink does not answer; what is for it is kept and sent later');
          failures += 1;
          const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 16));
          pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(sent.retryAfterMs ?? 0, backoff * (0.5 + Math.random() / 2)));
        } else {
          failures = 0;
          pauseMs = sent.type === 'more' ? 0 : IDLE_MS;
        }
        if (Date.now() >= trimAtMs) {
          trimAtMs = Date.now() + TRIM_EVERY_MS;
          await this.#trim(queue);
        }
      } catch (error) {
        pauseMs = FIRST_PAUSE_MS * 5;
        this.#options.log({ sink: queue.name, error: String(error) }, 'exporting to a trace sink failed; it is tried again');
      }
    } while (await this.#pause(pauseMs));
  }

  async #trim({ name }: Queue): Promise<void> {
    const dropped = await this.#options.store.trimEnded(name, this.#options.maxPending);
    if (dropped > 0) this.#options.log({ sink: name, dropped }, 'a trace sink is too far behind; the oldest of what was for it was dropped');
  }

  async #sendBatch(queue: Queue): Promise<{ readonly type: 'more' | 'idle' } | Unavailable> {
    const { store, timeoutMs } = this.#options;
    const { name, limit, requests, behind } = queue;
    const leaseMs = timeoutMs * requests + LEASE_MARGIN_MS;
    const rows = await store.claimEnded(name, { holder: this.#holder, leaseMs, limit, ...(behind === undefined ? {} : { behind }) });
    if (rows.length === 0) return { type: 'idle' };
    const { ids, exported, dropped, unavailable } = await queue.send(rows);
    if (ids.length > 0) await store.settleEnded(name, ids, { exported, dropped });
    return unavailable ?? { type: rows.length === limit ? 'more' : 'idle' };
  }

  /** False once the exporter is to stop. */
  async #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stopping;
    if (!signal.aborted)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, ms);
        signal.addEventListener('abort', done, { once: true });
        function done() {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        }
      });
    return !signal.aborted;
  }
}
