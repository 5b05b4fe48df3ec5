import type { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { GEN_AI_CONVENTIONS, SCOPE } from '../../telemetry/names.ts';
import type { Attributes, Span } from '../../telemetry/span.ts';

/** What OpenTelemetry's serializers read of a span. */
export type WireSpan = Parameters<typeof ProtobufTraceSerializer.serializeRequest>[0][number];

const KINDS = { internal: 0, client: 2 } as const;
const STATUSES = { unset: 0, ok: 1, error: 2 } as const;
const SAMPLED = 1;

/** A span with these attributes in place of its own, for a serializer. */
export function toWire(span: Span, attributes: Attributes, resource: WireSpan['resource']['attributes']): WireSpan {
  const { traceId, spanId, parentSpanId, status } = span;
  const start = hrTime(span.startMs);
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => ({ traceId, spanId, traceFlags: SAMPLED }),
    ...(parentSpanId === null ? {} : { parentSpanContext: { traceId, spanId: parentSpanId, traceFlags: SAMPLED } }),
    startTime: start,
    endTime: hrTime(span.endMs),
    duration: hrTime(span.endMs - span.startMs),
    ended: true,
    status: { code: STATUSES[status.code], ...(status.message === undefined ? {} : { message: status.message }) },
    attributes: present(attributes),
    events: span.events.map(({ name, atMs, attributes: details }) => ({ name, time: hrTime(atMs), attributes: present(details) })),
    links: [],
    resource: { attributes: resource } as WireSpan['resource'],
    instrumentationScope: { name: SCOPE, version: GEN_AI_CONVENTIONS.version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1_000), (ms % 1_000) * 1_000_000];
}

/** Without those that are undefined. */
export function present(attributes: Attributes): WireSpan['attributes'] {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [[key, typeof value === 'object' ? [...value] : value]])),
  );
}
