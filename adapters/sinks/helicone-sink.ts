import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { GEN_AI, OPERATION, TOLLGATE } from '../../telemetry/names.ts';
import type { Attributes, Span } from '../../telemetry/span.ts';
import { post, type SpanSink } from './sink.ts';
import { present, toWire } from './wire-span.ts';

export interface HeliconeSinkOptions {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Attributes;
  readonly timeoutMs: number;
}

/** Helicone's trace log: OTLP's shape as JSON at an address of its own. It is a log of calls, so it gets the attempts alone. */
export function createHeliconeSink({ name, url, headers, resource, timeoutMs }: HeliconeSinkOptions): SpanSink {
  const attributes = present(resource);
  return {
    name,
    send: async (spans) => {
      const calls = spans.filter((span) => span.attributes[GEN_AI.operation] === OPERATION.chat);
      if (calls.length === 0) return { type: 'taken', rejected: 0 };
      const body = JsonTraceSerializer.serializeRequest(calls.map((span) => toWire(span, { ...span.attributes, ...associations(span) }, attributes)));
      if (!body) return { type: 'refused', reason: 'could not be encoded' };
      const { answer: _answer, ...delivery } = await post({
        url,
        headers: { ...headers, 'content-type': 'application/json' },
        body: new TextDecoder().decode(body),
        timeoutMs,
      });
      return delivery;
    },
  };
}

/** Session, user and properties as Helicone's association properties name them, which OpenLLMetry brought. */
function associations({ attributes }: Span): Attributes {
  const property = (name: string, from: string): Attributes => ({ [`traceloop.association.properties.${name}`]: attributes[from] });
  return {
    ...property('session_id', GEN_AI.conversationId),
    ...property('user_id', TOLLGATE.requester),
    ...property('tenant', TOLLGATE.tenant),
    ...property('feature', TOLLGATE.feature),
    ...property('prompt_version', TOLLGATE.promptVersion),
    'llm.request.type': 'chat',
    'gen_ai.usage.prompt_tokens': attributes[GEN_AI.inputTokens],
    'gen_ai.usage.completion_tokens': attributes[GEN_AI.outputTokens],
  };
}
