import { describe, expect, test } from 'vitest';
import { createPriceSource } from '../../adapters/prices/genai-prices.ts';
import { createModelCatalogue, type ModelCatalogueOptions } from '../../adapters/providers/model-catalogue.ts';
import { LONG_REPLY_TOKENS, resolveCandidates } from '../../domain/task/candidates.ts';

/** How replies of gpt-5-mini come: in the background, streamed, or in one piece. */
function delivery(options: Partial<ModelCatalogueOptions>, task: { providerStorage?: 'allowed' | 'forbidden'; maxOutputTokens?: number } = {}): string {
  const catalogue = createModelCatalogue({ openai: { apiKey: 'k' }, secret: () => undefined, prices: createPriceSource(), ...options });
  const resolved = resolveCandidates({ models: [{ model: 'gpt-5-mini' }], providerStorage: 'forbidden', maxOutputTokens: 500, ...task }, catalogue);
  if (resolved.type === 'problems') throw new Error(JSON.stringify(resolved.problems));
  const [candidate] = resolved.candidates;
  return candidate?.background ? 'background' : candidate?.stream ? 'streamed' : 'in one piece';
}
const long = { maxOutputTokens: LONG_REPLY_TOKENS };
const gateway = { baseUrl: 'https://gateway.example/v1', provider: 'openai' };
const models = [{ model: 'gpt-5-mini', endpoint: 'gateway' }];

describe('a reply comes', () => {
  test('in the background where the provider has it and may store it, however long it may be', () => {
    expect(delivery({}, { providerStorage: 'allowed', ...long })).toBe('background');
    expect(delivery({ models: [{ model: 'gpt-5-mini', background: false }] }, { providerStorage: 'allowed' })).toBe('in one piece');
  });

  test('streamed where it may be a long one, from endpoints that are known to count a stream', () => {
    expect([delivery({}, long), delivery({}), delivery({ openai: {}, simulatedUrl: 'http://127.0.0.1:1/v1' }, long)]).toEqual([
      'streamed',
      'in one piece',
      'streamed',
    ]);
    expect(delivery({ endpoints: { gateway }, models }, long)).toBe('in one piece');
    expect(delivery({ openai: { apiKey: 'k', baseUrl: gateway.baseUrl } }, long)).toBe('in one piece');
  });

  test('as the model says, else as the endpoint says', () => {
    const streamed = { gateway: { ...gateway, stream: true } };
    expect(delivery({ endpoints: streamed, models })).toBe('streamed');
    expect(delivery({ endpoints: streamed, models: [{ model: 'gpt-5-mini', endpoint: 'gateway', stream: false }] }, long)).toBe('in one piece');
    expect(delivery({ models: [{ model: 'gpt-5-mini', stream: true }] })).toBe('streamed');
  });
});
