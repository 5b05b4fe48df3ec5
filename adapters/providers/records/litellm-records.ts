import { z } from 'zod';
import type { AttemptLookup, LookupAnswer } from '../../../domain/model/provider-port.ts';
import { readUsage } from '../openai/usage.ts';
import { answered, found, getJson, type RecordsClient, unknown, withReported } from './answer.ts';

const count = z.int().min(0);
const row = z.object({
  request_id: z.string(),
  status: z.string().nullish(),
  prompt_tokens: count,
  completion_tokens: count,
  spend: z.number().min(0).nullish(),
  metadata: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
});
const rows = z.array(row);

/** Names a call to LiteLLM by our own id: it takes the id of a call from this header, and keys its spend log by it. */
export const fetchWithCallId: typeof fetch = (input, init) => {
  const headers = new Headers(init?.headers);
  const id = headers.get('x-client-request-id');
  if (id !== null) headers.set('x-litellm-call-id', id);
  return fetch(input, { ...init, headers });
};

/**
 * LiteLLM with a database keeps a spend log: by the call's id, which we set; older ones by the response's. That a call is not
 * in it proves nothing: the log is written late, in batches, and may be switched off.
 */
export function liteLlmRecords(client: RecordsClient): AttemptLookup {
  const root = client.baseUrl.replace(/\/v1$/, '');
  return {
    lookUp: ({ clientRequestId, providerRequestId, responseId }, { signal }) =>
      answered(async () => {
        let last = unknown('LiteLLM has no row of this call in its spend log');
        for (const id of new Set([clientRequestId, providerRequestId, responseId])) {
          if (id === null) continue;
          const { status, body } = await getJson(client, `${root}/spend/logs?request_id=${encodeURIComponent(id)}`, signal);
          const read = rows.safeParse(body);
          if (status !== 200 || !read.success)
            last = unknown(`LiteLLM answered ${status} when asked for its spend log (it needs a database, and a key that may read it)`);
          else if (read.data.length > 0) return answerOf(id, read.data);
        }
        return last;
      }),
  };
}

function answerOf(id: string, found_: z.output<typeof rows>): LookupAnswer {
  const [entry, ...more] = found_.filter(({ request_id }) => request_id === id);
  if (!entry || more.length > 0) return unknown(`LiteLLM has ${more.length + (entry ? 1 : 0)} rows for ${id}`);
  const { prompt_tokens, completion_tokens, status } = entry;
  // A failure costs nothing in LiteLLM's log, whatever the provider behind it charged.
  if (status === 'failure') return unknown(`LiteLLM logged ${id} as failed, which does not say what the provider charged`);
  const usage = readUsage(usageObject(entry.metadata)) ?? readUsage({ prompt_tokens, completion_tokens });
  if (!usage || usage.inputTokens + usage.outputTokens === 0) return unknown(`LiteLLM's row for ${id} names no usage`);
  return found(withReported(usage, entry.spend), `spend log ${id}`);
}

/** The usage as the provider sent it, with what was cached; newer versions keep it. */
function usageObject(metadata: z.output<typeof row>['metadata']): unknown {
  try {
    const parsed: unknown = typeof metadata === 'string' ? JSON.parse(metadata) : metadata;
    return (parsed as { usage_object?: unknown } | null)?.usage_object;
  } catch {
    return undefined;
  }
}
