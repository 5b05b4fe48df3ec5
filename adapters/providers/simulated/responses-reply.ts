import type { SimulatedUsage } from './price-list.ts';
import { encryptedFor, type Reply } from './reply.ts';
import type { WireRequest } from './wire-request.ts';

type Wire = Readonly<Record<string, unknown>>;

/** A response object in its final state. */
export interface WireResponse extends Wire {
  readonly id: string;
  readonly status: string;
  readonly output: readonly Wire[];
}

/** The response object with all its output. `createdAtMs` and `completedAtMs` are on the provider's clock. */
export function finalResponse(reply: Reply, request: WireRequest, createdAtMs: number, completedAtMs: number | null): WireResponse {
  const { finishReason } = reply.content;
  const reason = finishReason === 'length' ? 'max_output_tokens' : finishReason === 'contentFilter' ? 'content_filter' : null;
  const status = reply.fails ? 'failed' : reason === null ? 'completed' : 'incomplete';
  return {
    id: `resp_sim${reply.digest.slice(0, 40)}`,
    object: 'response',
    created_at: Math.floor(createdAtMs / 1000),
    status,
    background: request.background,
    completed_at: status === 'completed' && completedAtMs !== null ? Math.floor(completedAtMs / 1000) : null,
    error: reply.fails ? { code: 'server_error', message: 'The model produced an error.' } : null,
    incomplete_details: reason === null || reply.fails ? null : { reason },
    ...request.echo,
    metadata: { ...request.metadata, simulated: 'true' },
    model: reply.model,
    output: reply.fails ? [] : outputItems(reply, request),
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: request.store,
    temperature: 1,
    top_p: 1,
    truncation: 'disabled',
    usage: reply.reportsUsage && !reply.fails ? responsesUsage(reply.usage) : null,
    user: null,
  };
}

/** The same response before its work is done, or after it was cancelled. */
export function unfinishedResponse(final: WireResponse, status: 'queued' | 'in_progress' | 'cancelled', usage: SimulatedUsage | null): WireResponse {
  return { ...final, status, output: [], completed_at: null, incomplete_details: null, error: null, usage: usage && responsesUsage(usage) };
}

function outputItems(reply: Reply, request: WireRequest): Wire[] {
  const { content, digest } = reply;
  if (content.isEmpty) return [];
  const status = content.finishReason === 'length' || content.finishReason === 'contentFilter' ? 'incomplete' : 'completed';
  const items: Wire[] = [];
  const said = content.refusal === null ? outputText(content.text) : [{ type: 'refusal', refusal: content.refusal }];
  if (said.length > 0) items.push({ type: 'message', id: `msg_${digest.slice(0, 32)}`, role: 'assistant', status, content: said });
  for (const [index, call] of content.toolCalls.entries()) {
    items.push({ type: 'function_call', id: `fc_${digest.slice(0, 30)}${index}`, call_id: call.callId, name: call.name, arguments: call.arguments, status });
  }
  if (items.length > 0 && reply.usage.reasoningTokens > 0) items.unshift(reasoningItem(reply, request));
  return items;
}

function outputText(text: string | null): Wire[] {
  return text === null ? [] : [{ type: 'output_text', text, annotations: [], logprobs: [] }];
}

function reasoningItem(reply: Reply, request: WireRequest): Wire {
  const encrypted = request.includeEncryptedReasoning ? { encrypted_content: `${encryptedFor(reply.model)}${reply.digest}` } : {};
  return { type: 'reasoning', id: `rs_${reply.digest.slice(0, 32)}`, summary: [], ...encrypted };
}

function responsesUsage(usage: SimulatedUsage): Wire {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}
