import type { Store } from '../../domain/store/port.ts';
import type { Ended } from '../../domain/trace/store-port.ts';
import type { Span } from '../../telemetry/span.ts';
import { feedbackOf } from './feedback.ts';
import type { Delivery, Sink } from './sink.ts';
import { createSpanSource, type SpanSource } from './spans/span-source.ts';

/** Rows of one request, and so all that a sink costs in memory; fewer where each may bring a transcript. */
const BATCH_ROWS = 200;
const BATCH_ROWS_WITH_CONTENT = 20;
/** Each is a request of its own. */
const BATCH_FEEDBACK = 20;
/** A backend may show a span some time after it took it. What it knows nothing of for so long, it never will. */
const UNKNOWN_FOR_MS = 3_600_000;

export type Log = (details: Readonly<Record<string, unknown>>, message: string) => void;
export type Unavailable = Extract<Delivery, { type: 'unavailable' }>;

/** What became of a batch: the rows that are through with, and why the others are not. */
export interface Sent {
  readonly ids: readonly number[];
  readonly exported: number;
  readonly dropped: number;
  readonly unavailable: Unavailable | null;
}

/** What waits in the store for one sink, of one kind. */
export interface Queue {
  /** As the store knows it. */
  readonly name: string;
  readonly takes: 'spans' | 'feedback';
  /** The queue whose older rows go first. */
  readonly behind?: string;
  readonly limit: number;
  /** Requests that one batch may take. */
  readonly requests: number;
  send(rows: readonly Ended[]): Promise<Sent>;
}

export function spanQueue(store: Store, sink: Sink, withContent: boolean, log: Log): Queue {
  const source = createSpanSource(store, withContent);
  return {
    name: sink.name,
    takes: 'spans',
    limit: withContent ? BATCH_ROWS_WITH_CONTENT : BATCH_ROWS,
    requests: 1,
    send: async (rows) => {
      const { spans, unreadable } = await spansOf(source, rows, log);
      const delivery = spans.length > 0 ? await sink.send(spans) : ({ type: 'taken', rejected: 0 } as const);
      if (delivery.type === 'unavailable') return { ids: [], exported: 0, dropped: 0, unavailable: delivery };
      const rejected = delivery.type === 'refused' ? spans.length : Math.min(delivery.rejected, spans.length);
      if (rejected > 0) {
        const reason = delivery.type === 'refused' ? delivery.reason : 'partly taken';
        log({ sink: sink.name, rejected, reason }, 'a trace sink refused spans; they were dropped');
      }
      return { ids: rows.map(({ id }) => id), exported: spans.length - rejected, dropped: rejected + unreadable, unavailable: null };
    },
  };
}

/** A row that nothing can be made of must not hold up those behind it. */
async function spansOf(source: SpanSource, rows: readonly Ended[], log: Log): Promise<{ readonly spans: readonly Span[]; readonly unreadable: number }> {
  const spansOfRow = source.forBatch();
  const spans = new Map<string, Span>();
  let unreadable = 0;
  for (const row of rows) {
    const made = await readable(row, log, () => spansOfRow(row));
    if (made === null) unreadable += 1;
    else for (const span of made) spans.set(span.spanId, span);
  }
  return { spans: [...spans.values()], unreadable };
}

/** Feedback of the same sink: behind the spans that it is about, and never in their way. */
export function feedbackQueue(store: Store, sink: Sink, withContent: boolean, log: Log): Queue {
  return {
    name: `${sink.name} feedback`,
    takes: 'feedback',
    behind: sink.name,
    limit: BATCH_FEEDBACK,
    requests: BATCH_FEEDBACK,
    send: async (rows) => {
      const ids: number[] = [];
      let [exported, dropped] = [0, 0];
      let unavailable: Unavailable | null = null;
      for (const row of rows) {
        const feedback = await readable(row, log, () => feedbackOf(store, row.runKey, row.ref, withContent));
        const delivery = feedback === null ? REFUSED : await sink.sendFeedback(feedback);
        if (delivery.type === 'unavailable' && !(delivery.isUnknown && (await store.nowMs()) - row.atMs > UNKNOWN_FOR_MS)) {
          unavailable = delivery;
          // What one piece is about may be missing while the others are there.
          if (delivery.isUnknown) continue;
          break;
        }
        ids.push(row.id);
        if (delivery.type === 'taken' && delivery.rejected === 0) exported += 1;
        else {
          dropped += 1;
          const reason = delivery.type === 'taken' ? 'not taken' : delivery.reason;
          log({ sink: sink.name, feedbackId: row.ref, reason }, 'a sink refused feedback; it was dropped');
        }
      }
      return { ids, exported, dropped, unavailable };
    },
  };
}

const REFUSED: Delivery = { type: 'refused', reason: 'nothing could be made of it' };

/** Null for a row that nothing can be made of. @throws where the store does not answer. */
async function readable<T>(row: Ended, log: Log, make: () => Promise<T>): Promise<T | null> {
  try {
    return await make();
  } catch (error) {
    if (isOfStore(error)) throw error;
    log({ kind: row.kind, ref: row.ref, error: String(error) }, 'nothing could be made of a row for a trace sink; it was dropped');
    return null;
  }
}

function isOfStore(error: unknown): boolean {
  const type = (error as { type?: unknown }).type;
  return type === 'storeUnavailable' || type === 'storeFull';
}
