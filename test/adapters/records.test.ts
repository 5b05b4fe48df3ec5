import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import { type RecordsKind, recordsKindOf } from '../../adapters/providers/records/records.ts';
import { type SimulatedProvider, startSimulatedProvider } from '../../adapters/providers/simulated/main.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import type { AttemptReference, LookupAnswer, ModelEndpoint } from '../../domain/model/provider-port.ts';

let server: Server;
let url: string;
let answers: Record<string, { readonly status?: number; readonly body: unknown }>;
let seen: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders }[];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    const answer = answers[request.url ?? ''] ?? { status: 404, body: { error: { message: 'not found', code: null } } };
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', location: '/elsewhere' });
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  answers = {};
  seen = [];
});

const ATTEMPT: AttemptReference = { clientRequestId: 'attempt-1', responseId: null, providerRequestId: null, sentBetweenMs: [0, 1] };
const endpoint = (records: RecordsKind, baseUrl = url) => createOpenAiEndpoint({ apiKey: 'secret', baseUrl, api: 'chat', records });

async function lookUp(records: RecordsKind, change: Partial<AttemptReference> = {}): Promise<LookupAnswer> {
  const answer = await endpoint(records).lookup?.lookUp({ ...ATTEMPT, ...change }, { signal: AbortSignal.timeout(5_000) });
  if (!answer) throw new Error('the endpoint has a lookup');
  return answer;
}

describe('OpenAI', () => {
  const usage = { input_tokens: 20, input_tokens_details: { cached_tokens: 4 }, output_tokens: 6, output_tokens_details: { reasoning_tokens: 2 } };

  test('a stored response says what it used, finished or cut off', async () => {
    for (const status of ['completed', 'incomplete', 'cancelled']) {
      answers['/v1/responses/resp_1'] = { body: { id: 'resp_1', status, service_tier: 'default', usage } };
      expect(await lookUp('openai', { responseId: 'resp_1' })).toMatchObject({
        type: 'found',
        usage: { inputTokens: 20, cachedInputTokens: 4, outputTokens: 6, reasoningTokens: 2 },
        serviceTier: 'default',
      });
    }
    expect(seen[0]).toMatchObject({ method: 'GET', headers: { authorization: 'Bearer secret' } });
  });

  test.each([
    ['one that runs', { body: { status: 'in_progress', usage: null } }, /still running/],
    ['one without usage', { body: { status: 'failed', usage: null } }, /names no usage/],
    ['one that is gone', { status: 404, body: { error: {} } }, /no longer has/],
    ['an error', { status: 500, body: 'oops' }, /answered 500/],
    ['what is no response', { body: [] }, /answered 200/],
  ])('%s decides nothing', async (_what, answer, reason) => {
    answers['/v1/responses/resp_1'] = answer;
    expect(await lookUp('openai', { responseId: 'resp_1' })).toEqual({ type: 'unknown', reason: expect.stringMatching(reason) });
  });

  test('without a response id nobody is asked', async () => {
    expect(await lookUp('openai')).toMatchObject({ type: 'unknown' });
    expect(seen).toEqual([]);
  });
});

describe('LiteLLM', () => {
  const row = { request_id: 'attempt-1', status: 'success', prompt_tokens: 20, completion_tokens: 6, spend: 0.000285 };
  const path = '/spend/logs?request_id=attempt-1';

  test('the spend log is asked for by our own id, which goes with the call', async () => {
    answers[path] = { body: [row] };
    expect(await lookUp('litellm')).toMatchObject({ type: 'found', usage: { inputTokens: 20, outputTokens: 6, reportedNanoUsd: 285_000 } });
    await endpoint('litellm').send(request('m'), {
      signal: AbortSignal.timeout(5_000),
      clientRequestId: 'attempt-1',
      onResponseId: async () => undefined,
    } as never);
    expect(seen.find(({ method }) => method === 'POST')?.headers['x-litellm-call-id']).toBe('attempt-1');
    await endpoint('none').send(request('m'), {
      signal: AbortSignal.timeout(5_000),
      clientRequestId: 'attempt-2',
      onResponseId: async () => undefined,
    } as never);
    expect(seen.findLast(({ method }) => method === 'POST')?.headers['x-litellm-call-id']).toBeUndefined();
  });

  test("the provider's own usage comes before the plain counts, as an object and as text", async () => {
    const usage_object = { prompt_tokens: 20, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 16 } };
    for (const metadata of [{ usage_object }, JSON.stringify({ usage_object })]) {
      answers[path] = { body: [{ ...row, metadata }] };
      expect(await lookUp('litellm')).toMatchObject({ type: 'found', usage: { cachedInputTokens: 16 } });
    }
  });

  test('older versions key the log by the response', async () => {
    answers[path] = { body: [] };
    answers['/spend/logs?request_id=chatcmpl-1'] = { body: [{ ...row, request_id: 'chatcmpl-1' }] };
    expect(await lookUp('litellm', { responseId: 'chatcmpl-1' })).toMatchObject({ type: 'found' });
  });

  test.each([
    ['no row', { body: [] }, /no row/],
    ['a failure', { body: [{ ...row, status: 'failure' }] }, /logged .* as failed/],
    ['a row without tokens', { body: [{ ...row, prompt_tokens: 0, completion_tokens: 0 }] }, /no usage/],
    ['two rows', { body: [row, row] }, /2 rows/],
    ['rows of others', { body: [{ ...row, request_id: 'other' }] }, /0 rows/],
    ['no database', { status: 500, body: { error: 'Database not connected' } }, /needs a database/],
  ])('%s decides nothing, and never says that the call was not seen', async (_what, answer, reason) => {
    answers[path] = answer;
    expect(await lookUp('litellm')).toEqual({ type: 'unknown', reason: expect.stringMatching(reason) });
  });
});

describe('OpenRouter', () => {
  const data = { native_tokens_prompt: 30, native_tokens_completion: 7, native_tokens_cached: 10, native_tokens_reasoning: 1, total_cost: 0.0015 };

  test("a generation says what it used by the model's own tokenizer", async () => {
    answers['/v1/generation?id=gen-1'] = { body: { data } };
    for (const reference of [{ responseId: 'gen-1' }, { providerRequestId: 'gen-1' }])
      expect(await lookUp('openrouter', reference)).toMatchObject({
        type: 'found',
        usage: { inputTokens: 30, cachedInputTokens: 10, outputTokens: 7, reasoningTokens: 1, reportedNanoUsd: 1_500_000 },
      });
  });

  test('what is not known, or makes no sense, decides nothing', async () => {
    expect(await lookUp('openrouter', { responseId: 'chatcmpl-1' })).toMatchObject({ type: 'unknown', reason: expect.stringContaining('not known') });
    expect(await lookUp('openrouter', { responseId: 'gen-404' })).toMatchObject({ type: 'unknown', reason: expect.stringContaining('404') });
    answers['/v1/generation?id=gen-1'] = { body: { data: { ...data, native_tokens_cached: 31 } } };
    expect(await lookUp('openrouter', { responseId: 'gen-1' })).toMatchObject({ type: 'unknown', reason: expect.stringContaining('no sense') });
  });
});

describe('the simulated provider', () => {
  let folder: string;
  let provider: SimulatedProvider;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tollgate-records-'));
    const faults = [{ type: 'failedResponse' as const, attempt: 2 }];
    provider = await startSimulatedProvider({ billFile: join(folder, 'bill.jsonl'), scenarios: [{ id: 'hi', turns: [{ text: 'Hello.', faults }] }] });
  });
  afterAll(async () => {
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const ask = (simulated: ModelEndpoint, clientRequestId: string) =>
    simulated.lookup?.lookUp({ ...ATTEMPT, clientRequestId }, { signal: AbortSignal.timeout(5_000) });

  test('says what a request used, that another cost nothing, and that it has never seen a third', async () => {
    const simulated = createOpenAiEndpoint({ apiKey: 'x', baseUrl: provider.url, api: 'chat', isOpenAi: true, records: 'simulated' });
    const send = (clientRequestId: string) =>
      simulated.send(request('gpt-5-mini'), { signal: AbortSignal.timeout(5_000), clientRequestId, onResponseId: async () => undefined } as never);
    const sent = await send('paid');
    expect(await ask(simulated, 'paid')).toMatchObject({ type: 'found', usage: sent.type === 'reply' ? { ...sent.usage } : null });
    await send('free');
    expect(await ask(simulated, 'free')).toMatchObject({ type: 'found', usage: { inputTokens: 0, outputTokens: 0 } });
    expect(await ask(simulated, 'unheard-of')).toMatchObject({ type: 'neverSeen' });
  });
});

test('records that cannot be reached, or that send elsewhere, decide nothing', async () => {
  const gone = endpoint('simulated', 'http://127.0.0.1:9/v1');
  expect(await gone.lookup?.lookUp(ATTEMPT, { signal: AbortSignal.timeout(5_000) })).toMatchObject({
    type: 'unknown',
    reason: expect.stringContaining("can't be reached"),
  });
  answers['/v1/requests/attempt-1'] = { status: 302, body: '' };
  expect(await lookUp('simulated')).toMatchObject({ type: 'unknown' });
  expect(seen.map((request) => request.url)).toEqual(['/v1/requests/attempt-1']);
});

test.each([
  ['openai', undefined, 'openai'],
  ['openai', 'https://gateway.example/v1', 'none'],
  ['litellm', 'http://litellm:4000/v1', 'litellm'],
  ['anything', 'https://openrouter.ai/api/v1', 'openrouter'],
  ['anthropic', 'https://api.anthropic.com/v1', 'none'],
] as const)('%s at %s: %s', (provider, baseUrl, kind) => expect(recordsKindOf(provider, baseUrl)).toBe(kind));

function request(model: string): ModelRequest {
  return { model, api: 'chat', messages: [{ role: 'user', text: 'Hello.' }], tools: [], maxOutputTokens: 64, background: false };
}
