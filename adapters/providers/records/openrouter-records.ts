import { z } from 'zod';
import type { AttemptLookup } from '../../../domain/model/provider-port.ts';
import { answered, found, getJson, type RecordsClient, unknown, withReported } from './answer.ts';

const count = z.int().min(0);
const generation = z.object({
  data: z.object({
    native_tokens_prompt: count,
    native_tokens_completion: count,
    native_tokens_reasoning: count.nullish(),
    native_tokens_cached: count.nullish(),
    total_cost: z.number().min(0).nullish(),
    service_tier: z.string().nullish(),
  }),
});

/** OpenRouter keeps each generation by its id, with the counts of the model's own tokenizer. It knows no id of the client's. */
export function openRouterRecords(client: RecordsClient): AttemptLookup {
  return {
    lookUp: ({ responseId, providerRequestId }, { signal }) =>
      answered(async () => {
        const id = [providerRequestId, responseId].find((each) => each?.startsWith('gen-'));
        if (!id) return unknown('OpenRouter has no record of a call whose generation id is not known');
        const { status, body } = await getJson(client, `${client.baseUrl}/generation?id=${encodeURIComponent(id)}`, signal);
        const read = generation.safeParse(body);
        if (status !== 200 || !read.success) return unknown(`OpenRouter answered ${status} for the generation ${id}`);
        const { data } = read.data;
        const usage = {
          inputTokens: data.native_tokens_prompt,
          cachedInputTokens: data.native_tokens_cached ?? 0,
          cacheWriteTokens: 0,
          outputTokens: data.native_tokens_completion,
          reasoningTokens: data.native_tokens_reasoning ?? 0,
        };
        if (usage.cachedInputTokens > usage.inputTokens) return unknown(`the generation ${id} has counts that make no sense`);
        return found(withReported(usage, data.total_cost), `generation ${id}`, data.service_tier ?? null);
      }),
  };
}
