import type { Span } from '../../telemetry/span.ts';
import type { Feedback } from './feedback.ts';

export type Delivery =
  /** `rejected`: of these, the sink will never take. */
  | { readonly type: 'taken'; readonly rejected: number }
  /** It will not take these, however often they are sent. */
  | { readonly type: 'refused'; readonly reason: string }
  /** Down, slow, or asking for time: the same again later. `isUnknown`: it does not know the address, or what is spoken of. */
  | { readonly type: 'unavailable'; readonly reason: string; readonly retryAfterMs?: number; readonly isUnknown?: boolean };

/** Somewhere that spans go. Never throws. */
export interface SpanSink {
  readonly name: string;
  send(spans: readonly Span[]): Promise<Delivery>;
}

/** Somewhere that spans and feedback go. Never throws. */
export interface Sink extends SpanSink {
  /** By the backend's own interface, or as a span. */
  sendFeedback(feedback: Feedback): Promise<Delivery>;
}

/** Statuses after which the same request may be sent again, by the OTLP specification; Phoenix says 503 at capacity. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);
/** A key or a project that is not there yet, or a proxy's own page: an operator corrects that, and nothing should be lost meanwhile. */
const CORRECTABLE: ReadonlySet<number> = new Set([401, 403, 404]);
const MAX_REASON_LENGTH = 200;

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | string;
  readonly timeoutMs: number;
}

/** Posts once. Redirects are not followed: they would take the key along. */
export async function post({ url, headers, body, timeoutMs }: Posting): Promise<Delivery & { readonly answer?: Uint8Array }> {
  try {
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    const answer = new Uint8Array(await response.arrayBuffer());
    if (response.ok) return { type: 'taken', rejected: 0, answer };
    const reason = `HTTP ${response.status}`;
    if (!RETRYABLE.has(response.status) && !CORRECTABLE.has(response.status) && response.status < 500) return { type: 'refused', reason };
    const seconds = Number(response.headers.get('retry-after'));
    return { type: 'unavailable', reason, ...(seconds > 0 ? { retryAfterMs: seconds * 1_000 } : {}), ...(response.status === 404 ? { isUnknown: true } : {}) };
  } catch (error) {
    const cause = (error as Error).cause;
    return { type: 'unavailable', reason: String(cause instanceof Error ? cause.message : (error as Error).message).slice(0, MAX_REASON_LENGTH) };
  }
}
