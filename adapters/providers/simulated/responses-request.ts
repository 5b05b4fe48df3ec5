import { outputFormatBytes } from './output-format.ts';
import { encryptedFor } from './reply.ts';
import { RefusedRequest, type WireItem, type WireRequest } from './wire-request.ts';
import { type InputItem, parseBody, type ResponsesRequest, responsesRequestSchema, textOf } from './wire-schema.ts';

/**
 * Reads the body of `POST /v1/responses`. `bodyBytes` is its length as sent. Conversations kept by the provider are not
 * offered: every request carries its whole input.
 * @throws RefusedRequest 400.
 */
export function readResponsesRequest(body: unknown, bodyBytes: number): WireRequest {
  const request = parseBody(responsesRequestSchema, body);
  checkSupported(request);
  const input: readonly InputItem[] = typeof request.input === 'string' ? [{ role: 'user', content: request.input }] : request.input;
  checkReasoning(input, request.model);
  const instructions: readonly InputItem[] = request.instructions ? [{ role: 'system', content: request.instructions }] : [];
  const tools = request.tools ?? [];
  const format = request.text?.format;
  return {
    api: 'responses',
    model: request.model,
    items: groupItems([...instructions, ...input]),
    offeredTools: request.tool_choice === 'none' ? [] : tools.flatMap((tool) => (tool.name === undefined ? [] : [tool.name])),
    toolBytes: tools.length === 0 ? 0 : Buffer.byteLength(JSON.stringify(tools)),
    formatBytes: outputFormatBytes(format?.type === 'json_schema' ? format : null, 'text.format.schema'),
    maxOutputTokens: request.max_output_tokens ?? null,
    stream: request.stream === true,
    includeUsage: true,
    background: request.background === true,
    store: request.store !== false,
    includeEncryptedReasoning: request.include?.includes('reasoning.encrypted_content') === true,
    metadata: request.metadata ?? {},
    bodyBytes,
    echo: {
      instructions: request.instructions ?? null,
      max_output_tokens: request.max_output_tokens ?? null,
      tools,
      tool_choice: request.tool_choice ?? 'auto',
      text: request.text ?? { format: { type: 'text' } },
    },
  };
}

function checkSupported(request: ResponsesRequest): void {
  const refuse = (message: string, param: string): never => {
    throw new RefusedRequest(400, message, 'unsupported_parameter', param);
  };
  if (request.previous_response_id)
    refuse(`The simulated provider keeps no conversations: send the whole input instead of 'previous_response_id'.`, 'previous_response_id');
  if (request.conversation) refuse(`The simulated provider keeps no conversations: send the whole input instead of 'conversation'.`, 'conversation');
  if (request.background && request.store === false) refuse(`Background mode requires 'store' to be true.`, 'store');
  if (request.background && request.stream) refuse(`The simulated provider does not stream background responses: poll GET /v1/responses/{id}.`, 'stream');
}

/** A reasoning item must come back to the model that made it, and with the item that it led to. */
function checkReasoning(input: readonly InputItem[], model: string): void {
  for (const [index, item] of input.entries()) {
    if (item.type !== 'reasoning') continue;
    const next = input[index + 1];
    const isFollowed = next !== undefined && (next.type === 'function_call' || next.type === 'reasoning' || ('role' in next && next.role === 'assistant'));
    if (!isFollowed)
      throw new RefusedRequest(400, `Item '${item.id ?? ''}' of type 'reasoning' was provided without its required following item.`, null, 'input');
    const isOwn = typeof item.encrypted_content !== 'string' || item.encrypted_content.startsWith(encryptedFor(model));
    if (!isOwn) throw new RefusedRequest(400, `The encrypted content of item ${item.id ?? ''} could not be verified.`, 'invalid_encrypted_content', 'input');
  }
}

function groupItems(input: readonly InputItem[]): WireItem[] {
  const items: WireItem[] = [];
  for (const item of input.map(toItem)) {
    const last = items.at(-1);
    if (item.role !== 'assistant' || last?.role !== 'assistant') items.push(item);
    else items[items.length - 1] = { ...last, text: last.text + item.text, bytes: last.bytes + item.bytes, callIds: [...last.callIds, ...item.callIds] };
  }
  return items;
}

function toItem(item: InputItem): WireItem {
  switch (item.type) {
    case 'function_call':
      return { role: 'assistant', text: '', bytes: Buffer.byteLength(item.name + item.arguments), callIds: [item.call_id] };
    case 'function_call_output': {
      const text = textOf(item.output);
      return { role: 'tool', text, bytes: Buffer.byteLength(text), callIds: [item.call_id] };
    }
    case 'reasoning':
      return { role: 'assistant', text: '', bytes: 0, callIds: [] };
    default: {
      const text = textOf(item.content);
      return { role: item.role === 'developer' ? 'system' : item.role, text, bytes: Buffer.byteLength(text), callIds: [] };
    }
  }
}
