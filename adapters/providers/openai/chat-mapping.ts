import type OpenAI from 'openai';
import { z } from 'zod';
import type { ToolCallId } from '../../../contracts/ids.ts';
import type { FinishReason, ModelReply, ModelRequest, TranscriptMessage } from '../../../contracts/model.ts';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import type { Dialect } from './dialect.ts';
import { errorInside } from './error-inside.ts';
import { errorInReply } from './failure.ts';
import { wireFormat } from './output-format.ts';
import { readUsage } from './usage.ts';

type Body = OpenAI.Chat.Completions.ChatCompletionCreateParams;

/** The body of a chat completion: our request, mapped once. */
export function chatBody(request: ModelRequest, dialect: Dialect): Body {
  return {
    model: request.model,
    messages: request.messages.map(toMessage),
    ...(request.tools.length > 0
      ? {
          tools: request.tools.map(({ name, description, parameters }) => ({
            type: 'function' as const,
            function: { name, description, parameters: { ...parameters } },
          })),
        }
      : {}),
    ...(request.tools.length > 0 && request.toolChoice ? { tool_choice: request.toolChoice } : {}),
    ...(request.outputFormat ? { response_format: { type: 'json_schema' as const, json_schema: wireFormat(request.outputFormat) } } : {}),
    ...(request.stream ? { stream: true as const, stream_options: { include_usage: true } } : {}),
    ...(dialect.isOpenAi ? { max_completion_tokens: request.maxOutputTokens, service_tier: 'default' as const } : { max_tokens: request.maxOutputTokens }),
  };
}

function toMessage(message: TranscriptMessage): Body['messages'][number] {
  switch (message.role) {
    case 'system':
    case 'user':
      return { role: message.role, content: message.text };
    case 'tool':
      return { role: 'tool', tool_call_id: message.toolCallId, content: message.text };
    case 'assistant': {
      const calls = message.toolCalls.map((call) => ({
        id: call.toolCallId,
        type: 'function' as const,
        function: { name: call.name, arguments: call.argumentsText },
      }));
      return { role: 'assistant', content: message.text, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
    }
  }
}

const completionSchema = z.object({
  id: z.string().nullish(),
  model: z.string().nullish(),
  service_tier: z.string().nullish(),
  usage: z.unknown().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        error: z.unknown().optional(),
        message: z.object({
          content: z.string().nullish(),
          refusal: z.string().nullish(),
          tool_calls: z.array(z.object({ id: z.string().nullish(), function: z.object({ name: z.string(), arguments: z.string().nullish() }) })).nullish(),
        }),
      }),
    )
    .nullish(),
});

/** A chat completion in our own words. */
export function readChatCompletion(body: unknown): ProviderResult {
  const failed = errorInReply(body);
  if (failed) return failed;
  const parsed = completionSchema.safeParse(body);
  const usage = readUsage((body as { usage?: unknown } | null)?.usage);
  if (!parsed.success) return { type: 'unusable', message: 'The reply does not have the shape of a chat completion.', usage };
  const choice = parsed.data.choices?.[0];
  if (!choice) return { type: 'unusable', message: 'The reply has no choices.', usage };
  const { message, finish_reason, error } = choice;
  // OpenRouter: the model behind it failed in the middle of the reply.
  if (error || finish_reason === 'error') return { ...errorInside(error ?? 'The reply ended with an error.', true), usage };
  const toolCalls = (message.tool_calls ?? []).map((call, index) => ({
    toolCallId: (call.id || `call_${index}`) as ToolCallId,
    name: call.function.name,
    argumentsText: call.function.arguments ?? '',
  }));
  const reply: ModelReply = {
    text: message.content ?? null,
    refusal: message.refusal || null,
    toolCalls,
    finishReason: toFinishReason(finish_reason),
    responseId: parsed.data.id ?? null,
    responseModel: parsed.data.model ?? null,
    serviceTier: parsed.data.service_tier ?? null,
  };
  return { type: 'reply', reply, usage };
}

function toFinishReason(reason: string | null | undefined): FinishReason {
  switch (reason) {
    case 'stop':
      return 'stop';
    case 'tool_calls':
    case 'function_call':
      return 'toolCalls';
    case 'length':
      return 'length';
    case 'content_filter':
      return 'contentFilter';
    default:
      return 'other';
  }
}
