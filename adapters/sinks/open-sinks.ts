import { createHeliconeSink } from './helicone-sink.ts';
import { TollgateError } from '../../contracts/failures.ts';
import type { SinkSpec } from '../../domain/task/define.ts';
import type { Attributes } from '../../telemetry/span.ts';
import { createOtlpSink } from './otlp-sink.ts';
import type { Feedback } from './feedback.ts';
import type { FeedbackRequester } from './feedback-requests.ts';
import { type Delivery, post, type Sink, type SpanSink } from './sink.ts';
import { planOf, type SinkPlan } from './vendors.ts';

/** What the settings say of traces. */
export interface TraceOptions {
  /** The collector that OTEL_EXPORTER_OTLP_* names. */
  readonly otlp?: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  /** Sinks by their type, set up from the variables of their own tools. */
  readonly vendors: readonly Exclude<SinkSpec['type'], 'otlp'>[];
  readonly withContent: boolean;
  readonly resource: Readonly<Record<string, string>>;
  readonly isOff: boolean;
}

export interface OpenedSink {
  readonly sink: Sink;
  readonly withContent: boolean;
}

/**
 * Every sink that settings and project name, under different names.
 * @throws TollgateError `invalidInput` that says what each of them lacks.
 */
export function openSinks(
  options: TraceOptions,
  specs: Readonly<Record<string, SinkSpec>>,
  secret: (name: string) => string | undefined,
): readonly OpenedSink[] {
  if (options.isOff) return [];
  const { otlp, vendors } = options;
  const named: Record<string, SinkSpec> = { ...Object.fromEntries(vendors.map((type) => [type, { type }])), ...specs };
  const opened = otlp ? [open('otlp-environment', { encoding: 'protobuf', ...otlp, resource: {} }, options)] : [];
  const problems: string[] = [];
  for (const [name, spec] of Object.entries(named)) {
    try {
      opened.push({ ...open(name, planOf(name, spec, secret), options), withContent: spec.content ?? options.withContent });
    } catch (error) {
      if (!(error instanceof TollgateError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length > 0) throw new TollgateError('invalidInput', problems.join('\n'));
  return opened;
}

function open(name: string, { encoding, resource, feedback, ...plan }: SinkPlan, options: TraceOptions): OpenedSink {
  const { timeoutMs, compression, withContent } = options;
  const all: Attributes = { 'service.name': 'tollgate', ...options.resource, ...resource };
  const spans =
    encoding === 'protobuf'
      ? createOtlpSink({ name, ...plan, resource: all, timeoutMs, compression })
      : createHeliconeSink({ name, ...plan, resource: all, timeoutMs });
  return { sink: { ...spans, sendFeedback: (given) => sendFeedback(spans, feedback, given, timeoutMs) }, withContent };
}

async function sendFeedback(spans: SpanSink, requester: FeedbackRequester | undefined, feedback: Feedback, timeoutMs: number): Promise<Delivery> {
  if (!requester) return await spans.send([feedback.span]);
  const request = await requester(feedback);
  if (!request) return { type: 'taken', rejected: 0 };
  const { url, headers, body } = request;
  const { answer: _answer, ...delivery } = await post({
    url,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    timeoutMs,
  });
  return delivery;
}
