import { z } from 'zod';
import type { AttemptLookup } from '../../../domain/model/provider-port.ts';
import { readUsage } from '../openai/usage.ts';
import { answered, found, getJson, type RecordsClient, unknown } from './answer.ts';

const stored = z.object({ status: z.string(), service_tier: z.string().nullish(), usage: z.unknown() });

/**
 * OpenAI keeps stored responses by their id, and nothing that can be asked for by a request's id. That a response is not there
 * proves nothing: it may have been deleted, or have run out.
 */
export function openAiRecords(client: RecordsClient): AttemptLookup {
  return {
    lookUp: ({ responseId }, { signal }) =>
      answered(async () => {
        if (responseId === null) return unknown('OpenAI keeps no record of a call whose response id is not known');
        const { status, body } = await getJson(client, `${client.baseUrl}/responses/${encodeURIComponent(responseId)}`, signal);
        if (status === 404) return unknown(`the provider no longer has the response ${responseId}`);
        const response = stored.safeParse(body);
        if (status !== 200 || !response.success) return unknown(`the provider answered ${status} for the response ${responseId}`);
        const { status: state, service_tier: tier, usage: sent } = response.data;
        if (state === 'queued' || state === 'in_progress') return unknown(`the response ${responseId} is still running`);
        const usage = readUsage(sent);
        if (!usage) return unknown(`the response ${responseId} (${state}) names no usage`);
        return found(usage, `response ${responseId}, ${state}`, tier ?? null);
      }),
  };
}
