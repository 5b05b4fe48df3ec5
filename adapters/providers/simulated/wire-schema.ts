import { z } from 'zod';
import { chatFormatSchema, responsesFormatSchema } from './output-format.ts';
import { RefusedRequest } from './wire-request.ts';

const textPart = z.looseObject({ text: z.string().optional(), refusal: z.string().optional() });
const textContent = z.union([z.string(), z.array(textPart).max(10_000)]);
type TextContent = z.infer<typeof textContent>;

const metadata = z.record(z.string().max(64), z.string().max(512)).nullish();
const maxTokens = z.int().min(1).max(10_000_000).nullish();
const model = z.string().min(1).max(200);
const flag = z.boolean().nullish();
const toolChoice = z.unknown().optional();

export const chatRequestSchema = z.looseObject({
  model,
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
        content: textContent.nullish(),
        refusal: z.string().nullish(),
        tool_calls: z.array(z.looseObject({ id: z.string(), function: z.looseObject({ name: z.string(), arguments: z.string() }) })).nullish(),
        tool_call_id: z.string().optional(),
      }),
    )
    .min(1),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }).optional() })).nullish(),
  tool_choice: toolChoice,
  response_format: chatFormatSchema.nullish(),
  max_tokens: maxTokens,
  max_completion_tokens: maxTokens,
  stream: flag,
  stream_options: z.looseObject({ include_usage: flag }).nullish(),
  store: flag,
  metadata,
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;

const inputItemSchema = z.union([
  z.looseObject({ type: z.literal('function_call'), call_id: z.string(), name: z.string(), arguments: z.string() }),
  z.looseObject({ type: z.literal('function_call_output'), call_id: z.string(), output: textContent }),
  z.looseObject({ type: z.literal('reasoning'), id: z.string().optional(), encrypted_content: z.string().nullish() }),
  z.looseObject({ type: z.literal('message').optional(), role: z.enum(['system', 'developer', 'user', 'assistant']), content: textContent }),
]);
export type InputItem = z.infer<typeof inputItemSchema>;

export const responsesRequestSchema = z.looseObject({
  model,
  input: z.union([z.string(), z.array(inputItemSchema).min(1)]),
  instructions: z.string().nullish(),
  tools: z.array(z.looseObject({ name: z.string().optional() })).nullish(),
  tool_choice: toolChoice,
  text: z.looseObject({ format: responsesFormatSchema.nullish() }).nullish(),
  max_output_tokens: maxTokens,
  stream: flag,
  background: flag,
  store: flag,
  include: z.array(z.string()).nullish(),
  previous_response_id: z.string().nullish(),
  conversation: z.unknown().optional(),
  metadata,
});
export type ResponsesRequest = z.infer<typeof responsesRequestSchema>;

/** The body in the shape of `schema`. @throws RefusedRequest 400 naming the first mistake. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const place = issue?.path.join('.') ?? '';
  throw new RefusedRequest(400, `Invalid value for '${place || 'body'}': ${issue?.message ?? 'unexpected shape'}.`, 'invalid_value', place || null);
}

/** The text of a message's content, whichever way it is written. */
export function textOf(content: TextContent | null | undefined): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.text ?? part.refusal ?? '').join('');
}
