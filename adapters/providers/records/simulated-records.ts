import { z } from 'zod';
import type { TokenUsage } from '../../../contracts/model.ts';
import type { AttemptLookup } from '../../../domain/model/provider-port.ts';
import { answered, found, getJson, type RecordsClient, unknown } from './answer.ts';

const count = z.int().min(0);
const record = z.object({
  status: z.enum(['charged', 'notCharged', 'inProgress']),
  entries: z.array(z.object({ inputTokens: count, cachedTokens: count, outputTokens: count, reasoningTokens: count, nanoUsd: z.int().min(0) })),
});
const refusal = z.object({ error: z.object({ code: z.string().nullable() }) });
const NOTHING: TokenUsage = { inputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** The simulated provider has every request that reached it on its bill, by the client's own id. */
export function simulatedRecords(client: RecordsClient): AttemptLookup {
  return {
    lookUp: ({ clientRequestId }, { signal }) =>
      answered(async () => {
        const { status, body } = await getJson(client, `${client.baseUrl}/requests/${encodeURIComponent(clientRequestId)}`, signal);
        if (status === 404 && refusal.safeParse(body).data?.error.code === 'never_seen')
          return { type: 'neverSeen', record: 'the provider has never seen the request' };
        const read = record.safeParse(body);
        if (status !== 200 || !read.success) return unknown(`the provider answered ${status}`);
        if (read.data.status === 'inProgress') return unknown('the provider is still at work on it');
        const charged = read.data.entries.filter(({ nanoUsd }) => nanoUsd > 0);
        if (charged.length === 0) return found(NOTHING, 'on the bill, not charged');
        const [first, ...more] = charged;
        // Sent twice is what we never do: a person should look at it.
        if (!first || more.length > 0) return unknown(`the provider charged ${charged.length} requests of this id`);
        const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = first;
        return found({ inputTokens, cachedInputTokens: cachedTokens, cacheWriteTokens: 0, outputTokens, reasoningTokens }, 'on the bill');
      }),
  };
}
