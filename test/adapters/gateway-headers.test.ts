import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { gatewayHeaders, gatewayKindOf } from '../../adapters/providers/openai/gateway-headers.ts';
import { createOpenAiEndpoint, type OpenAiEndpointOptions } from '../../adapters/providers/openai/openai-endpoint.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import { gatewayCostOf } from '../../domain/budget/gateway-cost.ts';
import type { CallContext } from '../../domain/model/provider-port.ts';

const context: CallContext = {
  traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
  session: 'run-1',
  agentRunId: 'run-1.child',
  attemptId: '4b1d3f0e-1111-4222-8333-444455556666',
  step: 2,
  task: 'support',
  tenant: 'Grüße, 👋',
  feature: 'chat',
  requester: 'alice',
  promptVersion: 'support@abc',
};
const request: ModelRequest = {
  model: 'gpt-5-mini',
  api: 'chat',
  messages: [{ role: 'user', text: 'hi' }],
  tools: [],
  maxOutputTokens: 16,
  background: false,
};
const ANSWER = {
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'gpt-5-mini',
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hello' } }],
  usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
};
let seen: IncomingHttpHeaders = {};
let answerHeaders: Record<string, string> = {};
let server: Server;
let baseUrl = '';
beforeAll(async () => {
  server = createServer((incoming, response) => {
    seen = incoming.headers;
    incoming.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json', ...answerHeaders }).end(JSON.stringify(ANSWER)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  baseUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/v1`;
});
beforeEach(() => {
  answerHeaders = {};
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function send(options: Partial<OpenAiEndpointOptions>) {
  const endpoint = createOpenAiEndpoint({ apiKey: 'k', api: 'chat', baseUrl, ...options });
  return await endpoint.send(request, { signal: AbortSignal.timeout(5_000), clientRequestId: context.attemptId, context, onResponseId: async () => undefined });
}

describe('what a gateway is told', () => {
  test('LiteLLM: tags, session, user, metadata, and that it must not try again', async () => {
    expect(await send({ gateway: 'litellm', records: 'litellm' })).toMatchObject({ type: 'reply' });
    expect(seen).toMatchObject({
      traceparent: context.traceparent,
      'x-litellm-session-id': 'run-1',
      'x-litellm-end-user-id': 'alice',
      'x-litellm-num-retries': '0',
      'x-litellm-call-id': context.attemptId,
    });
    expect(String(seen['x-litellm-tags']).split(',')).toHaveLength(3);
    expect(JSON.parse(String(seen['x-litellm-spend-logs-metadata']))).toEqual({
      agentRunId: 'run-1.child',
      step: 2,
      attemptId: context.attemptId,
      promptVersion: 'support@abc',
    });
  });

  test('Helicone: session, user, properties, a request id of ours; retries and cache off, no fallbacks', async () => {
    await send({ gateway: 'helicone', headers: { 'Helicone-Auth': 'Bearer h' } });
    expect(seen).toMatchObject({
      authorization: 'Bearer k',
      'helicone-auth': 'Bearer h',
      'helicone-request-id': context.attemptId,
      'helicone-session-id': 'run-1',
      'helicone-session-path': '/support/step-2',
      'helicone-user-id': 'alice',
      'helicone-property-agentrunid': 'run-1.child',
      'helicone-retry-enabled': 'false',
      'helicone-cache-enabled': 'false',
    });
    expect(seen).not.toHaveProperty('helicone-fallbacks');
  });

  test('any other endpoint gets the trace context alone, and OpenAI itself nothing', async () => {
    await send({});
    expect(seen.traceparent).toBe(context.traceparent);
    expect(Object.keys(seen).filter((name) => /litellm|helicone|x-title/.test(name))).toEqual([]);
    expect([gatewayKindOf('openai', undefined), gatewayKindOf('litellm', baseUrl)]).toEqual(['none', 'litellm']);
    expect([gatewayKindOf('openai', 'https://oai.helicone.ai/v1'), gatewayKindOf('x', 'https://openrouter.ai/api/v1')]).toEqual(['helicone', 'openrouter']);
  });

  test('no name of a tenant, task or person can break a call', () => {
    const odd = { ...context, tenant: '\ud800', task: 'a\r\nX-Evil: 1', feature: '', requester: '日本' };
    for (const kind of ['litellm', 'helicone', 'openrouter', 'none'] as const) expect(() => new Headers(gatewayHeaders(kind, odd))).not.toThrow();
    expect(new Headers(gatewayHeaders('helicone', odd)).get('x-evil')).toBeNull();
    expect(gatewayHeaders('helicone', { ...context, attemptId: 'no-uuid' })['Helicone-Request-Id']).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe('what a gateway says that it cost', () => {
  test('goes beside the tokens and is compared; nonsense is dropped', async () => {
    answerHeaders = { 'x-litellm-response-cost': '0.000285' };
    expect(await send({ gateway: 'litellm' })).toMatchObject({ usage: { inputTokens: 10, reportedNanoUsd: 285_000 } });
    for (const cost of ['', 'free', '-1', 'Infinity', '1e300']) {
      answerHeaders = { 'x-litellm-response-cost': cost };
      const result = await send({ gateway: 'litellm' });
      expect('usage' in result && result.usage, cost).not.toHaveProperty('reportedNanoUsd');
    }
  });

  test('an answer from its cache, or after a try of its own, counts no tokens: they may be those of another call', async () => {
    for (const headers of [{ 'x-litellm-cache-key': 'abc' }, { 'helicone-cache': 'HIT' }, { 'x-litellm-attempted-retries': '1' }]) {
      answerHeaders = headers;
      expect(await send({ gateway: 'litellm' }), JSON.stringify(headers)).toMatchObject({ type: 'reply', usage: null });
    }
    answerHeaders = { 'helicone-cache': 'MISS' };
    expect(await send({ gateway: 'helicone' })).toMatchObject({ usage: { inputTokens: 10 } });
  });

  test('a difference is one beyond rounding; what is the bill itself is none', () => {
    const usage = { inputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 1, reasoningTokens: 0, reportedNanoUsd: 300_000 as never };
    const price = { model: 'm', source: 's', input: { picoUsdPerToken: 1 }, output: { picoUsdPerToken: 1 } };
    expect(gatewayCostOf(price, usage, 285_000 as never)).toEqual({ reportedNanoUsd: 300_000, differenceNanoUsd: 15_000, isDifferent: true });
    expect(gatewayCostOf(price, usage, 299_999 as never)?.isDifferent).toBe(false);
    expect(gatewayCostOf({ ...price, isChargedAsReported: true }, usage, 300_000 as never)).toBeNull();
    expect(gatewayCostOf(price, usage, null)).toBeNull();
  });
});
