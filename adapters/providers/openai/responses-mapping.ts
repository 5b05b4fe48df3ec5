import type OpenAI from 'openai';
import { z } from 'zod';
import type { ToolCallId } from '../../../contracts/ids.ts';
import type { JsonValue } from '../../../contracts/json.ts';
import type { FinishReason, ModelReply, ModelRequest, TranscriptMessage } from '../../../contracts/model.ts';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import type { Dialect } from './dialect.ts';
import { wireFormat } from './output-format.ts';
import { readUsage } from './usage.ts';

type Body = OpenAI.Responses.ResponseCreateParams;
type Item = OpenAI.Responses.ResponseInputItem;

/** The body of a response: our request, mapped once. Stored at the provider only where it runs in the background. */
export function responsesBody(request: ModelRequest, dialect: Dialect): Body {
  const instructions = request.messages.flatMap((message) => (message.role === 'system' ? [message.text] : [])).join('\n\n');
  return {
    model: request.model,
    ...(instructions === '' ? {} : { instructions }),
    input: request.messages.flatMap((message) => toItems(message, `responses:${request.model}`)),
    ...(request.tools.length > 0
      ? {
          tools: request.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            name,
            description,
            parameters: { ...parameters },
            strict: false,
          })),
        }
      : {}),
    ...(request.tools.length > 0 && request.toolChoice ? { tool_choice: request.toolChoice } : {}),
    ...(request.outputFormat ? { text: { format: { type: 'json_schema' as const, ...wireFormat(request.outputFormat) } } } : {}),
    max_output_tokens: request.maxOutputTokens,
    store: request.background,
    ...(request.background ? { background: true } : {}),
    ...(request.stream && !request.background ? { stream: true as const } : {}),
    ...(dialect.isOpenAi ? { service_tier: 'default' as const } : {}),
    // Without storage, reasoning survives between steps only as the encrypted items that are sent back.
    ...(dialect.isOpenAi && !request.background && isReasoningModel(request.model) ? { include: ['reasoning.encrypted_content' as const] } : {}),
  };
}

function isReasoningModel(model: string): boolean {
  return /^(o\d|gpt-5)/.test(model);
}

function toItems(message: TranscriptMessage, sameMaker: string): Item[] {
  switch (message.role) {
    case 'system':
      return [];
    case 'user':
      return [{ role: 'user', content: message.text }];
    case 'tool':
      return [{ type: 'function_call_output', call_id: message.toolCallId, output: message.text }];
    case 'assistant': {
      if (message.providerItems && message.providerItemsFor === sameMaker) return message.providerItems as unknown as Item[];
      const calls = message.toolCalls.map(
        (call): Item => ({ type: 'function_call', call_id: call.toolCallId, name: call.name, arguments: call.argumentsText }),
      );
      return [...(message.text ? [{ role: 'assistant', content: message.text } as Item] : []), ...calls];
    }
  }
}

const responseSchema = z.object({
  id: z.string(),
  status: z.string().nullish(),
  model: z.string().nullish(),
  service_tier: z.string().nullish(),
  error: z.object({ code: z.string().nullish(), message: z.string().nullish() }).nullish(),
  incomplete_details: z.object({ reason: z.string().nullish() }).nullish(),
  output: z.array(z.looseObject({ type: z.string() })).nullish(),
  usage: z.unknown().optional(),
});

export type ReadResponse = { readonly type: 'pending'; readonly responseId: string } | { readonly type: 'ended'; readonly result: ProviderResult };

/** A response in our own words; `pending` where it still runs in the background. */
export function readResponse(body: unknown, model: string): ReadResponse {
  const usage = readUsage((body as { usage?: unknown } | null)?.usage);
  const parsed = responseSchema.safeParse(body);
  if (!parsed.success) return { type: 'ended', result: { type: 'unusable', message: 'The reply does not have the shape of a response.', usage } };
  const response = parsed.data;
  switch (response.status) {
    case 'queued':
    case 'in_progress':
      return { type: 'pending', responseId: response.id };
    case 'failed':
      return { type: 'ended', result: failed(response.error, usage) };
    case 'cancelled':
      return { type: 'ended', result: { type: 'unusable', message: 'The response was cancelled at the provider.', usage } };
    default:
      return { type: 'ended', result: toReply(response, model, usage) };
  }
}

/** A response that failed had been accepted: the work may have cost something, whatever its error is called. */
function failed(error: z.output<typeof responseSchema>['error'], usage: ReturnType<typeof readUsage>): ProviderResult {
  const body = { error: { code: error?.code ?? 'server_error', message: error?.message ?? 'The response failed.' } };
  return { type: 'failure', signal: { body }, begun: true, usage, message: `The response failed at the provider: ${body.error.message}` };
}

const messageItem = z.object({
  type: z.literal('message'),
  content: z.array(z.object({ type: z.string(), text: z.string().nullish(), refusal: z.string().nullish() })),
});
const callItem = z.object({ type: z.literal('function_call'), call_id: z.string(), name: z.string(), arguments: z.string() });

function toReply(response: z.output<typeof responseSchema>, model: string, usage: ReturnType<typeof readUsage>): ProviderResult {
  const items = response.output ?? [];
  const parts = items.flatMap((item) => messageItem.safeParse(item).data?.content ?? []);
  const texts = parts.flatMap((part) => (part.text ? [part.text] : []));
  const calls = items.flatMap((item) => callItem.safeParse(item).data ?? []);
  const toolCalls = calls.map((call) => ({ toolCallId: call.call_id as ToolCallId, name: call.name, argumentsText: call.arguments }));
  const hasReasoning = items.some((item) => item.type === 'reasoning');
  const reply: ModelReply = {
    text: texts.length > 0 ? texts.join('') : null,
    refusal: parts.find((part) => part.refusal)?.refusal ?? null,
    toolCalls,
    finishReason: finishReasonOf(response, toolCalls.length > 0),
    responseId: response.id,
    responseModel: response.model ?? null,
    serviceTier: response.service_tier ?? null,
    ...(hasReasoning ? { providerItems: items as unknown as readonly JsonValue[], providerItemsFor: `responses:${model}` } : {}),
  };
  return { type: 'reply', reply, usage };
}

function finishReasonOf(response: z.output<typeof responseSchema>, hasCalls: boolean): FinishReason {
  if (response.status === 'incomplete') return response.incomplete_details?.reason === 'content_filter' ? 'contentFilter' : 'length';
  return hasCalls ? 'toolCalls' : 'stop';
}
