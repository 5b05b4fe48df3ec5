import { randomUUID } from 'node:crypto';
import type { Store } from '../../domain/store/port.ts';
import type { Ended } from '../../domain/trace/store-port.ts';
import type { Span } from '../../telemetry/span.ts';
import type { Sink } from './sink.ts';
import { createSpanSource, type SpanSource } from './spans/span-source.ts';

const IDLE_MS = 1_000;
/** Rows of one request, and so all that a sink costs in memory; fewer where each may bring a transcript. */
const BATCH_ROWS = 200;
const BATCH_ROWS_WITH_CONTENT = 20;
/** What a lease is longer than a request may take. */
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
  readonly log: (details: Readonly<Record<string, unknown>>, message: string) => void;
}

/**
 * Sends what has ended in the journal to the sinks. The queue is a table of the store: a row is there from the transaction in
 * which something ended until its sink has taken it, whatever becomes of this process, so delivery is at least once and every
 * repetition has the same ids. Runs wait for none of it. What a sink refuses, and the oldest where it falls too far behind,
 * is dropped and counted.
 */
export class TraceExporter {
  readonly #options: ExporterOptions;
  readonly #holder = randomUUID();
  readonly #stopping = new AbortController();
  #loops: Promise<void>[] = [];

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** Registers the sinks, so that what ends from now on is kept for them, and begins to send. */
  async start(): Promise<void> {
    await this.#register();
    this.#loops = [...this.#options.sinks.map(({ sink, withContent }) => this.#run(sink, withContent)), this.#stayRegistered()];
  }

  /** Ends after the requests under way, within some seconds. What is left is sent by whoever comes next. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([Promise.allSettled(this.#loops), new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
  }

  /** One pass over all sinks. @internal for tests, and for what is left at the end. */
  async flush(): Promise<void> {
    for (const { sink, withContent } of this.#options.sinks) {
      const source = createSpanSource(this.#options.store, withContent);
      while ((await this.#sendBatch(sink, source, withContent ? BATCH_ROWS_WITH_CONTENT : BATCH_ROWS)).type === 'more');
    }
  }

  async #register(): Promise<void> {
    const names = this.#options.sinks.map(({ sink }) => sink.name);
    await this.#options.store.registerSinks(names, FORGET_AFTER_MS);
  }

  async #stayRegistered(): Promise<void> {
    while (await this.#pause(REGISTER_EVERY_MS))
      await this.#register().catch((error: unknown) => this.#options.log({ error: String(error) }, 'trace sinks could not be registered; tried again'));
  }

  async #run(sink: Sink, withContent: boolean): Promise<void> {
    const source = createSpanSource(this.#options.store, withContent);
    let pauseMs = IDLE_MS;
    let failures = 0;
    let trimAtMs = 0;
    do {
      try {
        const sent = await this.#sendBatch(sink, source, withContent ? BATCH_ROWS_WITH_CONTENT : BATCH_ROWS);
        if (sent.type === 'unavailable') {
          if (failures === 0) this.#options.log({ sink: sink.name, reason: sent.reason }, 'a trace sink does not answer; its spans are kept and sent later');
          failures += 1;
          const backoff = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 16));
          pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(sent.retryAfterMs ?? 0, backoff * (0.5 + Math.random() / 2)));
        } else {
          failures = 0;
          pauseMs = sent.type === 'more' ? 0 : IDLE_MS;
        }
        if (Date.now() >= trimAtMs) {
          trimAtMs = Date.now() + TRIM_EVERY_MS;
          await this.#trim(sink);
        }
      } catch (error) {
        pauseMs = FIRST_PAUSE_MS * 5;
        this.#options.log({ sink: sink.name, error: String(error) }, 'exporting spans failed; it is tried again');
      }
    } while (await this.#pause(pauseMs));
  }

  async #trim(sink: Sink): Promise<void> {
    const dropped = await this.#options.store.trimEnded(sink.name, this.#options.maxPending);
    if (dropped > 0) this.#options.log({ sink: sink.name, dropped }, 'a trace sink is too far behind; the oldest spans for it were dropped');
  }

  async #sendBatch(
    sink: Sink,
    source: SpanSource,
    limit: number,
  ): Promise<{ readonly type: 'more' | 'idle' } | Extract<Awaited<ReturnType<Sink['send']>>, { type: 'unavailable' }>> {
    const { store } = this.#options;
    const rows = await store.claimEnded(sink.name, { holder: this.#holder, leaseMs: this.#options.timeoutMs + LEASE_MARGIN_MS, limit });
    if (rows.length === 0) return { type: 'idle' };
    const { spans, unreadable } = await this.#spansOf(source, rows);
    const delivery = spans.length > 0 ? await sink.send(spans) : ({ type: 'taken', rejected: 0 } as const);
    if (delivery.type === 'unavailable') return delivery;
    const rejected = delivery.type === 'refused' ? spans.length : Math.min(delivery.rejected, spans.length);
    if (rejected > 0) {
      const reason = delivery.type === 'refused' ? delivery.reason : 'partly taken';
      this.#options.log({ sink: sink.name, rejected, reason }, 'a trace sink refused spans; they were dropped');
    }
    await store.settleEnded(
      sink.name,
      rows.map(({ id }) => id),
      { exported: spans.length - rejected, dropped: rejected + unreadable },
    );
    return { type: rows.length === limit ? 'more' : 'idle' };
  }

  /** A row that nothing can be made of must not hold up those behind it. */
  async #spansOf(source: SpanSource, rows: readonly Ended[]): Promise<{ readonly spans: readonly Span[]; readonly unreadable: number }> {
    const spansOf = source.forBatch();
    const spans = new Map<string, Span>();
    let unreadable = 0;
    for (const row of rows) {
      try {
        for (const span of await spansOf(row)) spans.set(span.spanId, span);
      } catch (error) {
        if (isOfStore(error)) throw error;
        unreadable += 1;
        this.#options.log({ kind: row.kind, ref: row.ref, error: String(error) }, 'no span could be made of a row; it was dropped');
      }
    }
    return { spans: [...spans.values()], unreadable };
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

function isOfStore(error: unknown): boolean {
  const type = (error as { type?: unknown }).type;
  return type === 'storeUnavailable' || type === 'storeFull';
}
