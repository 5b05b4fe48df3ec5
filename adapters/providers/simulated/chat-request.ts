import { outputFormatBytes } from './output-format.ts';
import type { WireItem, WireRequest } from './wire-request.ts';
import { type ChatRequest, chatRequestSchema, parseBody, textOf } from './wire-schema.ts';

/** Reads the body of `POST /v1/chat/completions`. `bodyBytes` is its length as sent. @throws RefusedRequest 400. */
export function readChatRequest(body: unknown, bodyBytes: number): WireRequest {
  const request = parseBody(chatRequestSchema, body);
  const tools = request.tools ?? [];
  const format = request.response_format;
  return {
    api: 'chat',
    model: request.model,
    items: request.messages.map(toItem),
    offeredTools: request.tool_choice === 'none' ? [] : tools.flatMap((tool) => (tool.function ? [tool.function.name] : [])),
    toolBytes: tools.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(tools)),
    formatBytes: outputFormatBytes(format?.type === 'json_schema' ? format.json_schema : null, 'response_format'),
    maxOutputTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
    stream: request.stream === true,
    includeUsage: request.stream_options?.include_usage === true,
    background: false,
    store: request.store === true,
    includeEncryptedReasoning: false,
    metadata: request.metadata ?? {},
    bodyBytes,
    echo: {},
  };
}

function toItem(message: ChatRequest['messages'][number]): WireItem {
  const calls = message.tool_calls ?? [];
  const text = textOf(message.content) || (message.refusal ?? '');
  const callText = calls.map((call) => call.function.name + call.function.arguments).join('');
  return {
    role: message.role === 'developer' ? 'system' : message.role,
    text,
    bytes: Buffer.byteLength(text + callText),
    callIds: message.role === 'tool' ? [message.tool_call_id ?? ''] : calls.map((call) => call.id),
  };
}
