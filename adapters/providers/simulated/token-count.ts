import type { ReplyContent } from './reply.ts';
import type { WireRequest } from './wire-request.ts';

const BYTES_PER_TOKEN = 4;
const TOKENS_PER_REQUEST = 8;
const TOKENS_PER_ITEM = 4;
const TOKENS_PER_CALL = 8;
/** OpenAI caches prompts from this length on, in blocks. */
const CACHE_MIN_TOKENS = 1024;
const CACHE_BLOCK_TOKENS = 128;
/** What a model that is given no limit stops at. */
export const LONGEST_OUTPUT_TOKENS = 16_384;

/**
 * Input tokens of a request, and how many of them the request of the turn before has left in the cache. Never more than
 * the bytes of the body plus 64, which a caller may rely on for an upper bound.
 */
export function countInput(request: WireRequest): { readonly inputTokens: number; readonly cachedTokens: number } {
  const prefixLength = Math.max(
    0,
    request.items.findLastIndex((item) => item.role === 'assistant'),
  );
  const base = TOKENS_PER_REQUEST + Math.ceil((request.toolBytes + request.formatBytes) / BYTES_PER_TOKEN);
  const count = (items: WireRequest['items']): number => items.reduce((sum, item) => sum + TOKENS_PER_ITEM + Math.ceil(item.bytes / BYTES_PER_TOKEN), base);
  const inputTokens = Math.min(count(request.items), mostInputTokens(request));
  const prefixTokens = prefixLength === 0 ? 0 : Math.min(count(request.items.slice(0, prefixLength)), inputTokens);
  const cachedTokens = prefixTokens < CACHE_MIN_TOKENS ? 0 : prefixTokens - (prefixTokens % CACHE_BLOCK_TOKENS);
  return { inputTokens, cachedTokens };
}

/** The most input tokens an honest bill for this request can have. */
export function mostInputTokens(request: WireRequest): number {
  return request.bodyBytes + 64;
}

/** Cuts a reply where its tokens would pass `limit`, which makes it end for length. */
export function fitOutput(content: ReplyContent, limit: number): { readonly content: ReplyContent; readonly tokens: number } {
  const text = content.text ?? content.refusal ?? '';
  const textTokens = tokensOf(text);
  if (textTokens > limit) {
    const cut = cutBytes(text, limit * BYTES_PER_TOKEN);
    const said = content.text === null ? { refusal: cut } : { text: cut };
    return { content: { ...content, ...said, toolCalls: [], finishReason: 'length' }, tokens: limit };
  }
  let tokens = textTokens;
  const toolCalls: ReplyContent['toolCalls'][number][] = [];
  for (const call of content.toolCalls) {
    const callTokens = TOKENS_PER_CALL + tokensOf(call.name + call.arguments);
    if (tokens + callTokens > limit) {
      const bytesLeft = (limit - tokens - TOKENS_PER_CALL) * BYTES_PER_TOKEN - Buffer.byteLength(call.name);
      if (bytesLeft > 0) toolCalls.push({ ...call, arguments: cutBytes(call.arguments, bytesLeft) });
      return { content: { ...content, toolCalls, finishReason: 'length' }, tokens: limit };
    }
    toolCalls.push(call);
    tokens += callTokens;
  }
  return { content, tokens: Math.min(limit, Math.max(1, tokens)) };
}

function tokensOf(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** The longest beginning of at most `bytes` UTF-8 bytes that ends with a whole character. */
function cutBytes(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  let end = Math.max(0, Math.min(bytes, buffer.length));
  while (end > 0 && end < buffer.length && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString('utf8', 0, end);
}
