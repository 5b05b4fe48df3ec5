import { z } from 'zod';
import type { TokenUsage } from '../../contracts/model.ts';
import { readUsage } from '../providers/openai/usage.ts';

const count = z.int().min(0);
const ownUsage = z.strictObject({
  inputTokens: count,
  outputTokens: count,
  cachedInputTokens: count.default(0),
  cacheWriteTokens: count.default(0),
  reasoningTokens: count.default(0),
  cacheWriteOneHourTokens: count.optional(),
  audioInputTokens: count.optional(),
  cachedAudioInputTokens: count.optional(),
  audioOutputTokens: count.optional(),
  imageInputTokens: count.optional(),
  cachedImageInputTokens: count.optional(),
  imageOutputTokens: count.optional(),
});

const some = count.nullish();
const modalities = z.array(z.object({ modality: z.string(), tokenCount: count })).nullish();
/** Google's own shape: thoughts and tool prompts are beside the counts they belong to. */
const geminiUsage = z.object({
  promptTokenCount: count,
  cachedContentTokenCount: some,
  candidatesTokenCount: some,
  thoughtsTokenCount: some,
  toolUsePromptTokenCount: some,
  promptTokensDetails: modalities,
  cacheTokensDetails: modalities,
  candidatesTokensDetails: modalities,
});

/** Charges per call that stand in a usage beside its tokens. */
const callsSchema = z.object({
  server_tool_use: z.record(z.string(), z.number().nullish()).nullish(),
  num_search_queries: z.number().nullish(),
});

/** A usage as any provider sends it, in our own words; null where it is missing, incomplete or makes no sense. */
export function readAnyUsage(value: unknown): TokenUsage | null {
  const own = ownUsage.safeParse(value);
  if (own.success) return withoutUndefined(own.data);
  const gemini = geminiUsage.safeParse(value);
  return gemini.success ? ofGemini(gemini.data) : readUsage(value);
}

/** What a usage was charged for besides its tokens, by its name in the usage; null where it names nothing. */
export function otherChargeIn(value: unknown): string | null {
  const calls = callsSchema.safeParse(value);
  if (!calls.success) return null;
  const { server_tool_use: tools, num_search_queries: searches } = calls.data;
  // Fetching a page costs nothing but its tokens.
  const tool = Object.entries(tools ?? {}).find(([name, times]) => name !== 'web_fetch_requests' && (times ?? 0) > 0);
  return tool?.[0] ?? ((searches ?? 0) > 0 ? 'num_search_queries' : null);
}

function ofGemini(usage: z.output<typeof geminiUsage>): TokenUsage {
  const { promptTokenCount, toolUsePromptTokenCount, cachedContentTokenCount, candidatesTokenCount, thoughtsTokenCount } = usage;
  const of = (parts: z.output<typeof modalities>, modality: string) => (parts ?? []).find((part) => part.modality === modality)?.tokenCount;
  return withoutUndefined({
    inputTokens: promptTokenCount + (toolUsePromptTokenCount ?? 0),
    cachedInputTokens: cachedContentTokenCount ?? 0,
    cacheWriteTokens: 0,
    outputTokens: (candidatesTokenCount ?? 0) + (thoughtsTokenCount ?? 0),
    reasoningTokens: thoughtsTokenCount ?? 0,
    audioInputTokens: of(usage.promptTokensDetails, 'AUDIO'),
    cachedAudioInputTokens: of(usage.cacheTokensDetails, 'AUDIO'),
    imageInputTokens: of(usage.promptTokensDetails, 'IMAGE'),
    cachedImageInputTokens: of(usage.cacheTokensDetails, 'IMAGE'),
    audioOutputTokens: of(usage.candidatesTokensDetails, 'AUDIO'),
    imageOutputTokens: of(usage.candidatesTokensDetails, 'IMAGE'),
  });
}

function withoutUndefined(usage: { readonly [name in keyof TokenUsage]: TokenUsage[name] | undefined }): TokenUsage {
  return Object.fromEntries(Object.entries(usage).filter(([, tokens]) => tokens !== undefined)) as unknown as TokenUsage;
}
