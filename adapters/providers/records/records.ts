import type { AttemptLookup } from '../../../domain/model/provider-port.ts';
import { isOpenAiUrl } from '../openai/dialect.ts';
import type { RecordsClient } from './answer.ts';
import { liteLlmRecords } from './litellm-records.ts';
import { openAiRecords } from './openai-records.ts';
import { openRouterRecords } from './openrouter-records.ts';
import { simulatedRecords } from './simulated-records.ts';

/** Whose way of keeping records an endpoint has. */
export type RecordsKind = 'openai' | 'litellm' | 'openrouter' | 'simulated' | 'none';

/** What is known of an endpoint by its address and its provider alone. */
export function recordsKindOf(provider: string, baseUrl: string | undefined): RecordsKind {
  if (provider === 'simulated' || provider === 'litellm' || provider === 'openrouter') return provider;
  if (isOpenAiUrl(baseUrl)) return 'openai';
  return baseUrl !== undefined && new URL(baseUrl).hostname.endsWith('openrouter.ai') ? 'openrouter' : 'none';
}

/** Asks the records of that kind; undefined where there is nobody to ask. */
export function recordsOf(kind: RecordsKind, client: RecordsClient): AttemptLookup | undefined {
  switch (kind) {
    case 'openai':
      return openAiRecords(client);
    case 'litellm':
      return liteLlmRecords(client);
    case 'openrouter':
      return openRouterRecords(client);
    case 'simulated':
      return simulatedRecords(client);
    case 'none':
      return undefined;
  }
}
