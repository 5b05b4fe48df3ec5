import { gzipSync } from 'node:zlib';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { Attributes, Span } from '../../telemetry/span.ts';
import { type Delivery, post, type SpanSink } from './sink.ts';
import { present, toWire } from './wire-span.ts';

export interface OtlpSinkOptions {
  readonly name: string;
  /** The whole address, `…/v1/traces`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Attributes;
  /** What this sink wants to be told in its own words, beside the conventions. */
  readonly overlay?: (span: Span) => Attributes;
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
}

/**
 * OTLP over HTTP as protobuf. Only the encoding is OpenTelemetry's: its exporter would add the headers that the environment
 * sets for one collector to those of every sink, and keeps its queue in memory.
 */
export function createOtlpSink({ name, url, headers, resource, overlay, timeoutMs, compression }: OtlpSinkOptions): SpanSink {
  const attributes = present(resource);
  const encoding = compression === 'gzip' ? { 'content-encoding': 'gzip' } : {};
  return {
    name,
    send: async (spans) => {
      const wire = spans.map((span) => toWire(span, overlay ? { ...span.attributes, ...overlay(span) } : span.attributes, attributes));
      const body = ProtobufTraceSerializer.serializeRequest(wire);
      if (!body) return { type: 'refused', reason: 'could not be encoded' };
      const bytes = new Uint8Array(compression === 'gzip' ? gzipSync(body) : body);
      // Phoenix takes exactly this content type, without a charset.
      return rejectedIn(await post({ url, headers: { ...headers, ...encoding, 'content-type': 'application/x-protobuf' }, body: bytes, timeoutMs }));
    },
  };
}

/** A sink may take a part. Not everyone's answer is protobuf. */
function rejectedIn({ answer, ...delivery }: Awaited<ReturnType<typeof post>>): Delivery {
  if (delivery.type !== 'taken' || !answer?.length) return delivery;
  try {
    const rejected = Number(ProtobufTraceSerializer.deserializeResponse(answer).partialSuccess?.rejectedSpans ?? 0);
    return { type: 'taken', rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0 };
  } catch {
    return delivery;
  }
}
