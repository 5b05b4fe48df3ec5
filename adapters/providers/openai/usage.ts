import { z } from 'zod';
import type { TokenUsage } from '../../../contracts/model.ts';

const count = z.int().min(0);
const details = z.object({ cached_tokens: count.nullish(), cache_write_tokens: count.nullish(), cache_creation_tokens: count.nullish() }).nullish();
const outputDetails = z.object({ reasoning_tokens: count.nullish() }).nullish();
const chatUsage = z.object({ prompt_tokens: count, completion_tokens: count, prompt_tokens_details: details, completion_tokens_details: outputDetails });
const responsesUsage = z.object({ input_tokens: count, output_tokens: count, input_tokens_details: details, output_tokens_details: outputDetails });

/**
 * Usage in our own words: input including cached tokens, output including reasoning. Null where it is missing or makes no
 * sense (negative, fractions, more cached than there is input): such a call's cost is not known.
 */
export function readUsage(value: unknown): TokenUsage | null {
  const chat = chatUsage.safeParse(value);
  if (chat.success)
    return normalise(chat.data.prompt_tokens, chat.data.completion_tokens, chat.data.prompt_tokens_details, chat.data.completion_tokens_details);
  const responses = responsesUsage.safeParse(value);
  if (responses.success)
    return normalise(responses.data.input_tokens, responses.data.output_tokens, responses.data.input_tokens_details, responses.data.output_tokens_details);
  return null;
}

function normalise(inputTokens: number, outputTokens: number, input: z.output<typeof details>, output: z.output<typeof outputDetails>): TokenUsage | null {
  const cachedInputTokens = input?.cached_tokens ?? 0;
  const cacheWriteTokens = input?.cache_write_tokens ?? input?.cache_creation_tokens ?? 0;
  const reasoningTokens = output?.reasoning_tokens ?? 0;
  if (cachedInputTokens + cacheWriteTokens > inputTokens || reasoningTokens > outputTokens) return null;
  return { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens };
}
