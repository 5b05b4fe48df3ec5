import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import { reportOf } from '../../domain/budget/outcome-report.ts';
import type { ProviderResult } from '../../domain/model/provider-port.ts';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}
let answer: Answer = { body: {} };
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers });
  response.end(JSON.stringify(answer.body));
});
let baseUrl = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(server.address() as { port: number }).port}/v1`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const REQUEST: ModelRequest = { model: 'm', api: 'chat', messages: [{ role: 'user', text: 'hi' }], tools: [], maxOutputTokens: 10, background: false };
const PRICE = { model: 'm', source: 'test', input: { picoUsdPerToken: 1_000_000 }, output: { picoUsdPerToken: 1_000_000 } };
const GOOD = {
  id: 'c',
  model: 'm',
  choices: [{ finish_reason: 'stop', message: { content: 'Hello' } }],
  usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
};

async function reported(given: Answer, provider = 'gateway') {
  answer = given;
  const endpoint = createOpenAiEndpoint({ baseUrl, apiKey: 'k', api: 'chat', provider });
  const result: ProviderResult = await endpoint.send(REQUEST, {
    signal: AbortSignal.timeout(5_000),
    clientRequestId: 'a',
    onResponseId: async () => undefined,
  });
  return reportOf(result, PRICE, 0);
}

test('a reply that came at the first try is settled by its usage', async () => {
  expect(await reported({ body: GOOD, headers: { 'x-litellm-attempted-fallbacks': '0', 'x-litellm-attempted-retries': '0' } })).toMatchObject({
    outcome: { type: 'reply' },
    money: { type: 'settle', costNanoUsd: 12_000 },
  });
});

test.each([{ 'x-litellm-attempted-fallbacks': '1' }, { 'x-litellm-attempted-retries': '2' }, { 'helicone-fallback-index': '1' }])(
  'a reply after tries of the gateway itself is used, and its money stays held: %o',
  async (headers) => {
    const report = await reported({ body: GOOD, headers: headers as Record<string, string> });
    expect(report).toMatchObject({ outcome: { type: 'reply' } });
    expect(report.money).toBeUndefined();
  },
);

test.each([
  ['in place of a reply', { error: { code: 502, message: 'Upstream error' } }],
  ['in a choice', { id: 'c', choices: [{ finish_reason: 'error', message: { content: 'Hel' }, error: { code: 502, message: 'Upstream error' } }] }],
])('an error %s is no reply, and may have cost something', async (_, body) => {
  const report = await reported({ body });
  expect(report.outcome).toMatchObject({ type: 'failed', verdict: { class: 'serverError', billed: 'unknown' } });
  expect(report.money).toBeUndefined();
});

test('a reply that says something and counts nothing is used, and its money stays held', async () => {
  const report = await reported({ body: { ...GOOD, usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } } });
  expect(report).toMatchObject({ outcome: { type: 'reply' } });
  expect(report.money).toBeUndefined();
});

test('a reply in a service tier without a price is used, and its money stays held', async () => {
  expect((await reported({ body: { ...GOOD, service_tier: 'scale' } })).money).toBeUndefined();
  expect((await reported({ body: { ...GOOD, service_tier: 'default' } })).money).toEqual({ type: 'settle', costNanoUsd: 12_000 });
});

test('what Azure refuses after reading it is held, what others refuse is free', async () => {
  const refusal = { status: 400, body: { error: { code: 'context_length_exceeded', message: "This model's maximum context length is 8192 tokens." } } };
  expect((await reported(refusal, 'azure')).money).toBeUndefined();
  expect((await reported(refusal, 'openai')).money).toEqual({ type: 'settle', costNanoUsd: 0 });
});
