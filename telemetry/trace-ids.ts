import { createHash } from 'node:crypto';
import type { RunKey } from '../contracts/ids.ts';

/** A place in a trace: what W3C's header `traceparent` says. */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Null for what is no `traceparent`: it is then as if none had been given. */
export function readTraceparent(header: string | null | undefined): TraceContext | null {
  const [, version, traceId, spanId, , more] = TRACEPARENT.exec(header?.trim() ?? '') ?? [];
  if (!traceId || !spanId || version === 'ff' || (version === '00' && more !== undefined)) return null;
  return /^0+$/.test(traceId) || /^0+$/.test(spanId) ? null : { traceId, spanId };
}

/** Our spans are always recorded: what is left out of a backend is for a Collector to say. */
export function traceparentOf({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`;
}

export interface TracedRun {
  readonly runKey: RunKey;
  readonly traceparent?: string | undefined;
}

/** The trace that a run's spans are in: its caller's, its parent's, or one of its own; the same on every machine and at any time. */
export function traceOf({ runKey, traceparent }: TracedRun): { readonly traceId: string; readonly parentSpanId: string | null } {
  const given = readTraceparent(traceparent);
  return given ? { traceId: given.traceId, parentSpanId: given.spanId } : { traceId: hash(runKey, 'trace').slice(0, 32), parentSpanId: null };
}

export type SpanSubject =
  | { readonly type: 'run' }
  | { readonly type: 'step'; readonly step: number }
  | { readonly type: 'attempt' | 'settlement'; readonly attemptId: string }
  | { readonly type: 'tool'; readonly callKey: string }
  | { readonly type: 'gate'; readonly approvalId: string }
  | { readonly type: 'feedback'; readonly feedbackId: string };

/** A span's id by what it is about. Whoever writes the span, and however often, it is the same one. */
export function spanIdOf(runKey: RunKey, subject: SpanSubject): string {
  const { type, ...rest } = subject;
  return hash(runKey, [type, ...Object.values(rest)].join(' ')).slice(0, 16);
}

/** The id of something about a run for backends that want a UUID: the same one whenever it is sent. */
export function uuidOf(runKey: RunKey, subject: SpanSubject): string {
  const { type, ...rest } = subject;
  const hex = hash(runKey, ['uuid', type, ...Object.values(rest)].join(' '));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `${variant}${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}

/** What to hand on to whoever is called: their spans hang below that of `subject`. */
export function traceparentBelow(run: TracedRun, subject: SpanSubject): string {
  return traceparentOf({ traceId: traceOf(run).traceId, spanId: spanIdOf(run.runKey, subject) });
}

function hash({ agentRunId, firstExecutionRunId }: RunKey, what: string): string {
  return createHash('sha256').update(`tollgate\n${agentRunId}\n${firstExecutionRunId}\n${what}`).digest('hex');
}
