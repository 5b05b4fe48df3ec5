import type { SimulatedUsage } from './price-list.ts';
import type { Reply } from './reply.ts';

type Wire = Readonly<Record<string, unknown>>;

const FINISH_REASONS = { stop: 'stop', toolCalls: 'tool_calls', length: 'length', contentFilter: 'content_filter' } as const;
const PIECE_LENGTH = 24;

/** The body of a chat completion. `createdAtMs` is on the provider's clock. */
export function chatCompletion(reply: Reply, createdAtMs: number): Wire {
  return {
    ...envelope(reply, createdAtMs, 'chat.completion'),
    choices: reply.content.isEmpty ? [] : [choice(reply)],
    ...(reply.reportsUsage ? { usage: chatUsage(reply.usage) } : {}),
  };
}

/** The chunks of a streamed chat completion, without the closing `[DONE]`. A piece is what the model says, bit by bit. */
export function chatChunks(reply: Reply, createdAtMs: number, includeUsage: boolean): { readonly chunk: Wire; readonly isPiece: boolean }[] {
  const chunk = (choices: readonly Wire[], usage: Wire | null): Wire => ({
    ...envelope(reply, createdAtMs, 'chat.completion.chunk'),
    choices,
    ...(includeUsage ? { usage } : {}),
  });
  const delta = (content: Wire, isPiece: boolean, finishReason: string | null = null) => ({
    chunk: chunk([{ index: 0, delta: content, logprobs: null, finish_reason: finishReason }], null),
    isPiece,
  });
  const { content } = reply;
  const said = content.isEmpty
    ? []
    : [
        delta({ role: 'assistant', content: content.text === null ? null : '' }, false),
        ...spoken(reply).map((part) => delta(part, true)),
        delta({}, false, FINISH_REASONS[content.finishReason]),
      ];
  return includeUsage && reply.reportsUsage ? [...said, { chunk: chunk([], chatUsage(reply.usage)), isPiece: false }] : said;
}

/** Cuts a text into the pieces that a stream sends. */
export function pieces(text: string): string[] {
  const characters = Array.from(text);
  const count = Math.ceil(characters.length / PIECE_LENGTH);
  return Array.from({ length: count }, (_, index) => characters.slice(index * PIECE_LENGTH, (index + 1) * PIECE_LENGTH).join(''));
}

function spoken({ content }: Reply): Wire[] {
  const calls = content.toolCalls.flatMap((call, index) => [
    { tool_calls: [{ index, id: call.callId, type: 'function', function: { name: call.name, arguments: '' } }] },
    ...pieces(call.arguments).map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ]);
  return [...pieces(content.text ?? '').map((piece) => ({ content: piece })), ...pieces(content.refusal ?? '').map((piece) => ({ refusal: piece })), ...calls];
}

function choice({ content }: Reply): Wire {
  const calls = content.toolCalls.map((call) => ({ id: call.callId, type: 'function', function: { name: call.name, arguments: call.arguments } }));
  const message = { role: 'assistant', content: content.text, refusal: content.refusal, annotations: [], ...(calls.length > 0 ? { tool_calls: calls } : {}) };
  return { index: 0, message, logprobs: null, finish_reason: FINISH_REASONS[content.finishReason] };
}

function envelope(reply: Reply, createdAtMs: number, object: string): Wire {
  return {
    id: `chatcmpl-sim${reply.digest.slice(0, 24)}`,
    object,
    created: Math.floor(createdAtMs / 1000),
    model: reply.model,
    service_tier: 'default',
    system_fingerprint: 'simulated',
  };
}

function chatUsage(usage: SimulatedUsage): Wire {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
}
