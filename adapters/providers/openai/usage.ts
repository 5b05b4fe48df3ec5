import { z } from 'zod';
import type { NanoUsd } from '../../../contracts/budget.ts';
import type { TokenUsage } from '../../../contracts/model.ts';

const count = z.int().min(0);
const some = count.nullish();
const perKind = z.object({ cached_tokens: some, cache_write_tokens: some, cache_creation_tokens: some, audio_tokens: some, image_tokens: some });
const inputDetails = perKind.extend({ cached_tokens_details: z.object({ audio_tokens: some, image_tokens: some }).nullish() }).nullish();
const outputDetails = z.object({ reasoning_tokens: some, audio_tokens: some, image_tokens: some }).nullish();
const writes = z.object({ ephemeral_5m_input_tokens: some, ephemeral_1h_input_tokens: some }).nullish();

/** Everything that OpenAI's two shapes, and what gateways and compatible endpoints make of them, say of a call's tokens. */
const usageSchema = z.object({
  prompt_tokens: some,
  completion_tokens: some,
  input_tokens: some,
  output_tokens: some,
  total_tokens: some,
  prompt_tokens_details: inputDetails,
  completion_tokens_details: outputDetails,
  input_tokens_details: inputDetails,
  output_tokens_details: outputDetails,
  /** The realtime and transcription endpoints write these without the first plural. */
  input_token_details: inputDetails,
  output_token_details: outputDetails,
  /** DeepSeek. */
  prompt_cache_hit_tokens: some,
  /** Anthropic's names: beside the input where it is Anthropic's own shape, inside it where a gateway adds them to OpenAI's. */
  cache_read_input_tokens: some,
  cache_creation_input_tokens: some,
  cache_creation: writes,
  /** Fast mode and a data residency have prices of their own, which nothing here knows. */
  speed: z.literal('standard').nullish(),
  inference_geo: z.enum(['global', 'not_available']).nullish(),
  /** OpenRouter: what it took from the account. */
  cost: z.number().min(0).nullish(),
  is_byok: z.boolean().nullish(),
  cost_details: z.object({ upstream_inference_cost: z.number().min(0).nullish() }).nullish(),
});
type Wire = z.output<typeof usageSchema>;

/**
 * Usage in our own words: input including cached and written tokens, output including reasoning. Null where it is missing or
 * makes no sense (negative, fractions, parts larger than their whole): such a call's cost is not known.
 */
export function readUsage(value: unknown): TokenUsage | null {
  const parsed = usageSchema.safeParse(value);
  if (!parsed.success) return null;
  const wire = parsed.data;
  const counted = inputOf(wire);
  if (!counted) return null;
  const { inputTokens, cachedInputTokens, cacheWriteTokens } = counted;
  const outputTokens = outputOf(wire, inputTokens);
  if (outputTokens === null) return null;
  const input = wire.prompt_tokens_details ?? wire.input_tokens_details ?? wire.input_token_details;
  const output = wire.completion_tokens_details ?? wire.output_tokens_details ?? wire.output_token_details;
  const reasoningTokens = output?.reasoning_tokens ?? 0;
  if (cachedInputTokens + cacheWriteTokens > inputTokens || reasoningTokens > outputTokens) return null;
  return {
    inputTokens,
    cachedInputTokens,
    cacheWriteTokens,
    outputTokens,
    reasoningTokens,
    ...present('cacheWriteOneHourTokens', wire.cache_creation?.ephemeral_1h_input_tokens),
    ...present('audioInputTokens', input?.audio_tokens),
    ...present('cachedAudioInputTokens', input?.cached_tokens_details?.audio_tokens),
    ...present('imageInputTokens', input?.image_tokens),
    ...present('cachedImageInputTokens', input?.cached_tokens_details?.image_tokens),
    ...present('audioOutputTokens', output?.audio_tokens),
    ...present('imageOutputTokens', output?.image_tokens),
    ...reportedCost(wire),
  };
}

function inputOf(wire: Wire): Pick<TokenUsage, 'inputTokens' | 'cachedInputTokens' | 'cacheWriteTokens'> | null {
  const stated = wire.prompt_tokens ?? wire.input_tokens;
  if (stated == null) return null;
  const details = wire.prompt_tokens_details ?? wire.input_tokens_details ?? wire.input_token_details;
  const read = details?.cached_tokens ?? wire.cache_read_input_tokens ?? wire.prompt_cache_hit_tokens ?? 0;
  const lifetimes = (wire.cache_creation?.ephemeral_5m_input_tokens ?? 0) + (wire.cache_creation?.ephemeral_1h_input_tokens ?? 0);
  const written = details?.cache_write_tokens ?? details?.cache_creation_tokens ?? wire.cache_creation_input_tokens ?? lifetimes;
  const isAnthropics = wire.prompt_tokens == null && (wire.cache_read_input_tokens != null || wire.cache_creation_input_tokens != null || lifetimes > 0);
  return { inputTokens: isAnthropics ? stated + read + written : stated, cachedInputTokens: read, cacheWriteTokens: written };
}

/**
 * The output with everything in it. Gemini's and xAI's compatible endpoints leave reasoning out of the output and count it in
 * the total alone; embeddings have no output at all.
 */
function outputOf(wire: Wire, inputTokens: number): number | null {
  const stated = wire.completion_tokens ?? wire.output_tokens;
  const total = wire.total_tokens ?? 0;
  if (stated == null) return total > 0 && total === inputTokens ? 0 : null;
  return Math.max(stated, total - inputTokens);
}

function reportedCost({ cost, is_byok: isOwnKey, cost_details: details }: Wire): Pick<TokenUsage, 'reportedNanoUsd'> {
  if (cost == null) return {};
  // With a key of one's own, OpenRouter takes a fee, and the provider behind it bills the rest.
  const usd = cost + (isOwnKey ? (details?.upstream_inference_cost ?? 0) : 0);
  const nano = Math.ceil(Number((usd * 1e9).toPrecision(12)));
  return Number.isSafeInteger(nano) ? { reportedNanoUsd: nano as NanoUsd } : {};
}

function present<Name extends keyof TokenUsage>(name: Name, tokens: number | null | undefined): { readonly [name in Name]?: number } {
  return tokens ? ({ [name]: tokens } as { readonly [name in Name]?: number }) : {};
}
