import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import type { PriceTable } from '../../contracts/budget.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import { reportOf } from '../../domain/budget/outcome-report.ts';
import type { ProviderResult } from '../../domain/model/provider-port.ts';
import { clientOf, scenario, start } from './simulated-provider-fixture.ts';

const price: PriceTable = {
  model: 'm',
  source: 'test',
  input: { picoUsdPerToken: 250_000 },
  cachedInput: { picoUsdPerToken: 25_000 },
  output: { picoUsdPerToken: 2_000_000 },
};
const request: ModelRequest = {
  model: 'gpt-5-mini',
  api: 'responses',
  messages: [{ role: 'user', text: 'Hi' }],
  tools: [],
  maxOutputTokens: 500,
  background: true,
};
const endpointAt = (baseUrl: string) => createOpenAiEndpoint({ baseUrl, api: 'responses', apiKey: 'none', isOpenAi: true });
const signal = () => AbortSignal.timeout(8_000);
const reported = (result: ProviderResult) => reportOf(result, price, Date.now());
const slow = (delayMs: number) => scenario({ text: 'Words. '.repeat(40), faults: [{ type: 'slow', delayMs }] });

describe('a background response', () => {
  test('is journalled before it is waited for, and settled at what it cost', async () => {
    const { provider } = await start(slow(300));
    const order: string[] = [];
    const result = await endpointAt(provider.url).send(request, {
      signal: signal(),
      clientRequestId: 'a1',
      onResponseId: async (id) => {
        order.push(id);
        await sleep(50);
        order.push('journalled');
        expect(provider.bill()).toEqual([]);
      },
    });
    expect(order).toEqual([expect.stringMatching(/^resp_/), 'journalled']);
    expect(reported(result)).toMatchObject({
      outcome: { type: 'reply' },
      money: { type: 'settle', costNanoUsd: provider.bill()[0]?.nanoUsd },
      providerRequestId: expect.any(String),
    });
  });

  test('is fetched by whoever knows its id, as often as wanted, and paid for once', async () => {
    const { provider, client } = await start(slow(300));
    const { id } = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi', max_output_tokens: 500, background: true, store: true });
    const results = await Promise.all([1, 2].map(() => endpointAt(provider.url).awaitResponse(id, { model: 'gpt-5-mini', signal: signal() })));
    expect(results[0]).toEqual(results[1]);
    // With the reasoning, which the same model wants back, as its sender would have had it.
    expect(results[0]).toMatchObject({ type: 'reply', reply: { providerItems: expect.any(Array), providerItemsFor: 'responses:gpt-5-mini' } });
    expect(provider.bill()).toHaveLength(1);
  });

  test('that is stopped is settled at the part that was done', async () => {
    const { provider, client } = await start(slow(60_000));
    const { id } = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi', max_output_tokens: 500, background: true, store: true });
    await sleep(200);
    const endpoint = endpointAt(provider.url);
    const waiting = endpoint.awaitResponse(id, { model: 'gpt-5-mini', signal: signal() });
    await endpoint.cancelResponse(id);
    const report = reported(await waiting);
    const [entry] = provider.bill();
    expect(entry).toMatchObject({ fault: 'cancelled' });
    expect(report).toMatchObject({ outcome: { type: 'failed' }, money: { type: 'settle', costNanoUsd: entry?.nanoUsd } });
  });

  test('that is not found any more is held, and not taken for a model that does not exist', async () => {
    const { provider, client } = await start(slow(60_000));
    const { id } = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi', max_output_tokens: 500, background: true, store: true });
    await clientOf(provider.url).responses.delete(id);
    const report = reported(await endpointAt(provider.url).awaitResponse(id, { model: 'gpt-5-mini', signal: signal() }));
    expect(report.outcome).toMatchObject({ type: 'failed', verdict: { class: 'connectionLost', billed: 'unknown', retrySameModel: true } });
    expect(report).not.toHaveProperty('money');
  });

  test('that nobody saw the end of is held', async () => {
    const { provider, client } = await start(slow(60_000));
    const { id } = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi', max_output_tokens: 500, background: true, store: true });
    const report = reported(await endpointAt(provider.url).awaitResponse(id, { model: 'gpt-5-mini', signal: AbortSignal.timeout(400) }));
    expect(report.outcome).toMatchObject({ type: 'failed', verdict: { class: 'timeout', billed: 'unknown' } });
    expect(report).not.toHaveProperty('money');
  });

  test('whose id was lost on the way is held: the work may go on', async () => {
    const { provider } = await start(scenario({ text: 'Words.', faults: [{ type: 'cutAfterWork' }] }));
    const onResponseId = () => Promise.reject(new Error('no id came'));
    const result = await endpointAt(provider.url).send(request, { signal: signal(), clientRequestId: 'a1', onResponseId });
    expect(reported(result)).toMatchObject({ outcome: { type: 'failed', verdict: { class: 'connectionLost', billed: 'unknown' } } });
    expect(reported(result)).not.toHaveProperty('money');
    await expect.poll(() => provider.bill().length).toBe(1);
  });
});

describe('questions that fail', () => {
  let server: Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });
  /** A provider that answers the questions about its one response with these, in order, the last one for ever. */
  async function provider(...answers: readonly (readonly [status: number, body: object | string])[]): Promise<{ url: string; asked: () => number }> {
    let asked = 0;
    server = createServer((incoming, response) => {
      incoming.resume();
      const [status, body] = answers[Math.min(asked, answers.length - 1)] ?? [500, ''];
      asked += 1;
      if (status === 0) response.destroy();
      else response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked: () => asked };
  }
  const done = {
    id: 'resp_1',
    status: 'completed',
    output: [{ type: 'message', content: [{ type: 'output_text', text: 'Yes' }] }],
    usage: { input_tokens: 10, output_tokens: 4 },
  };

  test('are asked again: they say nothing of the response', async () => {
    const { url, asked } = await provider(
      [0, ''],
      [429, { error: { message: 'Rate limit' } }],
      [503, 'busy'],
      [200, '<html>'],
      [404, { error: { message: 'not found' } }],
      [200, { id: 'resp_1', status: 'in_progress' }],
      [200, done],
    );
    expect(await endpointAt(url).awaitResponse('resp_1', { model: 'gpt-5-mini', signal: signal() })).toMatchObject({
      type: 'reply',
      reply: { text: 'Yes' },
      usage: { outputTokens: 4 },
    });
    expect(asked()).toBe(7);
  });

  test('for good leave the money held, whatever they say', async () => {
    for (const status of [400, 401, 403]) {
      const { url, asked } = await provider([status, { error: { message: 'insufficient_quota: no' } }]);
      const report = reported(await endpointAt(url).awaitResponse('resp_1', { model: 'gpt-5-mini', signal: signal() }));
      expect(report.outcome).toMatchObject({ verdict: { billed: 'unknown' } });
      expect(report).not.toHaveProperty('money');
      expect(asked()).toBe(1);
      server.close();
    }
  });

  test('a response that failed is held even where its error is called a refusal, and settled where it says what it cost', async () => {
    const failed = { id: 'resp_1', status: 'failed', error: { code: 'insufficient_quota', message: 'You exceeded your current quota' }, output: [] };
    const { url } = await provider([200, failed], [200, { ...failed, usage: { input_tokens: 10, output_tokens: 4 } }]);
    const [unknown, counted] = [
      await endpointAt(url).awaitResponse('resp_1', { model: 'gpt-5-mini', signal: signal() }),
      await endpointAt(url).awaitResponse('resp_1', { model: 'gpt-5-mini', signal: signal() }),
    ];
    expect(reported(unknown)).not.toHaveProperty('money');
    expect(reported(counted)).toMatchObject({
      outcome: { verdict: { class: 'quotaExhausted', billed: 'yes' } },
      money: { type: 'settle', costNanoUsd: 10_500 },
    });
  });
});
