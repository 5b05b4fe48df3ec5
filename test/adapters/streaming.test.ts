import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import type { NanoUsd, PriceTable } from '../../contracts/budget.ts';
import type { ModelApi, ModelRequest } from '../../contracts/model.ts';
import { reportOf } from '../../domain/budget/outcome-report.ts';
import type { Progress, ProviderResult, SendOptions } from '../../domain/model/provider-port.ts';
import { place, start } from './simulated-provider-fixture.ts';

const apis = ['chat', 'responses'] as const;
const look = { name: 'look', description: 'Looks.', parameters: { type: 'object', properties: {} } };
const request = (api: ModelApi, change: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'gpt-5-mini',
  api,
  messages: [
    { role: 'system', text: 'You help.' },
    { role: 'user', text: 'Hello' },
  ],
  tools: [look],
  maxOutputTokens: 500,
  background: false,
  ...change,
});
const price: PriceTable = {
  model: 'm',
  source: 'test',
  input: { picoUsdPerToken: 250_000 },
  cachedInput: { picoUsdPerToken: 25_000 },
  output: { picoUsdPerToken: 2_000_000 },
};
const reported = (result: ProviderResult) => reportOf(result, price, Date.now());

const endpointAt = (baseUrl: string, api: ModelApi, streamIdleTimeoutMs = 300) =>
  createOpenAiEndpoint({ baseUrl, api, apiKey: 'none', isOpenAi: true, streamIdleTimeoutMs });
function send(baseUrl: string, api: ModelApi, change: Partial<ModelRequest> = {}, options: Partial<SendOptions> = {}): Promise<ProviderResult> {
  const unused = () => Promise.reject(new Error('no background response'));
  return endpointAt(baseUrl, api).send(request(api, change), {
    signal: AbortSignal.timeout(5_000),
    clientRequestId: 'attempt-1',
    onResponseId: unused,
    ...options,
  });
}

const TEXT = 'Wörter — 言葉 and "quotes"\nin lines, 🙂🙂. '.repeat(8);
const usage = { inputTokens: 200, cachedTokens: 128, outputTokens: 300, reasoningTokens: 64 };
const call = (a: string) => ({ name: 'look', arguments: { a, nested: { b: ['ü', 1, null] } } });
const TURNS: Readonly<Record<string, ScenarioInput['turns'][number]>> = {
  'a text, with cached and reasoning tokens': { text: TEXT, usage },
  'a text with tool calls in many pieces': { text: 'Let me look.', toolCalls: [call('x'.repeat(200)), call('y')] },
  'tool calls alone': { toolCalls: [call('one'), call('two'), { name: 'look', arguments: '{"cut": ' }] },
  'a refusal': { refusal: 'I will not do that, whatever you say about it.' },
  'a text cut off at its limit': { text: TEXT, faults: [{ type: 'truncated' }] },
  'a text the filter took': { text: TEXT, faults: [{ type: 'contentFilter' }] },
  'an empty reply': { text: '' },
  'no choices at all': { empty: true },
  'a reply without usage': { text: TEXT, faults: [{ type: 'noUsage' }] },
  'usage above the bound': { text: TEXT, faults: [{ type: 'usageAboveBound', inputTokens: 50_000, outputTokens: 9_000 }] },
  'a response that fails': { text: TEXT, faults: [{ type: 'failedResponse' }] },
  'a rate limit': { text: TEXT, faults: [{ type: 'rateLimit' }] },
  'an unknown model': { text: TEXT, faults: [{ type: 'modelNotFound' }] },
};

describe.each(apis)('streamed and in one piece (%s)', (api) => {
  test.each(Object.keys(TURNS))('%s is the same reply, usage and cost', async (name) => {
    const scenarios = [{ id: 'same', turns: [TURNS[name] as ScenarioInput['turns'][number]] }];
    const [plain, streamed] = await Promise.all(
      [false, true].map(async (stream) => {
        const { provider } = await start({ scenarios, billFile: join(place.folder, `${stream}.jsonl`) });
        const { providerRequestId, ...result } = await send(provider.url, api, { stream });
        expect(providerRequestId).toMatch(/^req_sim/);
        if (result.type === 'failure' && result.signal.headers) delete (result.signal.headers as Record<string, string>)['x-request-id'];
        return { result, report: reported(result), bill: provider.bill()[0]?.nanoUsd };
      }),
    );
    expect(streamed).toEqual(plain);
    expect(plain?.report.money ?? null).toEqual(expectedMoney(name, plain?.bill ?? Number.NaN));
  });
});

function expectedMoney(name: string, billNanoUsd: number) {
  if (name === 'a reply without usage' || name === 'a response that fails') return null;
  return { type: 'settle', costNanoUsd: billNanoUsd as NanoUsd };
}

test('every part that arrives is told, in bytes and pieces', async () => {
  const { provider } = await start({ scenarios: [{ id: 'parts', turns: [{ text: TEXT, faults: [{ type: 'slowStream', chunkDelayMs: 3 }] }] }] });
  const seen: Progress[] = [];
  const ids: string[] = [];
  await send(provider.url, 'chat', { stream: true }, { onProgress: (progress) => seen.push(progress), onProviderRequestId: (id) => ids.push(id) });
  expect(seen.length).toBeGreaterThan(3);
  expect(seen).toEqual(seen.toSorted((a, b) => a.bytes - b.bytes));
  expect(seen.at(-1)?.pieces).toBeGreaterThan(10);
  expect(ids).toEqual([expect.stringMatching(/^req_sim/)]);
});

describe('a gateway', () => {
  let servers: Server[] = [];
  afterEach(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    servers = [];
  });
  /** A server that answers everything with `answer`. */
  async function gateway(answer: (response: ServerResponse) => void): Promise<string> {
    const server = createServer((incoming, response) => {
      incoming.resume();
      incoming.on('end', () => answer(response));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  }
  const events =
    (...chunks: readonly (object | string)[]) =>
    (response: ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'x-litellm-call-id': 'call-7' });
      response.end(chunks.map((chunk) => `data: ${typeof chunk === 'string' ? chunk : JSON.stringify(chunk)}\n\n`).join(''));
    };
  const delta = (part: object, finish: string | null = null) => ({ id: 'gen-1', model: 'm', choices: [{ index: 0, delta: part, finish_reason: finish }] });
  const count = { prompt_tokens: 10, completion_tokens: 4 };
  const streamed = async (answer: (response: ServerResponse) => void, api: ModelApi = 'chat') => send(await gateway(answer), api, { stream: true });

  test('that numbers every tool call 0, or none, has them told apart', async () => {
    const parts = (id: string, index?: number) => [
      delta({ tool_calls: [{ ...(index === undefined ? {} : { index }), id, function: { name: 'look', arguments: '{"a":' } }] }),
      delta({ tool_calls: [{ ...(index === undefined ? {} : { index }), function: { arguments: '1}' } }] }),
    ];
    const numbered = await streamed(events(...parts('a', 0), ...parts('b', 0), delta({}, 'tool_calls'), { choices: [], usage: count }, '[DONE]'));
    const bare = await streamed(events(...parts('a'), ...parts('b'), delta({}, 'tool_calls'), { choices: [], usage: count }, '[DONE]'));
    for (const result of [numbered, bare])
      expect(result).toMatchObject({
        type: 'reply',
        reply: {
          toolCalls: [
            { toolCallId: 'a', argumentsText: '{"a":1}' },
            { toolCallId: 'b', argumentsText: '{"a":1}' },
          ],
          finishReason: 'toolCalls',
        },
        providerRequestId: 'call-7',
      });
  });

  test('that counts with every chunk is believed at the end only', async () => {
    const early = { ...delta({ content: 'Hal' }), usage: { prompt_tokens: 10, completion_tokens: 1 } };
    const cut = await streamed(events(early));
    expect(reported(cut)).toMatchObject({ outcome: { type: 'failed', verdict: { class: 'connectionLost', billed: 'unknown' } } });
    expect(reported(cut)).not.toHaveProperty('money');
    const whole = await streamed(events(early, { ...delta({ content: 'lo' }, 'stop'), usage: count }));
    expect(whole).toMatchObject({ type: 'reply', reply: { text: 'Hallo' }, usage: { outputTokens: 4 } });
  });

  test('that closes a cut stream in good order, with a count of its own, is not believed', async () => {
    const result = await streamed(events(delta({ content: 'Hal' }), { choices: [], usage: count }, '[DONE]'));
    expect(result).toMatchObject({ type: 'failure', begun: true });
    expect(reported(result)).not.toHaveProperty('money');
  });

  test('whose stream ends without [DONE] has given its reply all the same, with its usage or without', async () => {
    expect(await streamed(events(delta({ content: 'Yes' }), delta({}, 'stop'), { choices: [], usage: count }))).toMatchObject({
      type: 'reply',
      usage: { inputTokens: 10 },
    });
    expect(await streamed(events(delta({ content: 'Yes' }), delta({}, 'stop')))).toMatchObject({ type: 'reply', reply: { text: 'Yes' }, usage: null });
  });

  test('that answers in one piece although a stream was asked for is understood', async () => {
    const completion = { id: 'c', choices: [{ finish_reason: 'stop', message: { content: 'Yes' } }], usage: count };
    const result = await streamed((response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion)));
    expect(result).toMatchObject({ type: 'reply', reply: { text: 'Yes' }, usage: { outputTokens: 4 } });
  });

  test.each(apis)('that sends a page in place of the reply (%s): nothing is known, the money stays held', async (api) => {
    for (const type of ['text/html', 'text/event-stream', 'application/json']) {
      const result = await streamed(
        (response) => response.writeHead(200, { 'content-type': type }).end('<html>\n<body>quota exceeded your current quota</body></html>'),
        api,
      );
      expect(reported(result), type).toMatchObject({ outcome: { type: 'failed', verdict: { billed: 'unknown', retrySameModel: true } } });
      expect(reported(result), type).not.toHaveProperty('money');
    }
  });

  test('that tells of an error under a status of 200, in place of the reply: what it refuses is free, what broke is not', async () => {
    const inBody = (error: object) => (response: ServerResponse) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
    for (const answer of [inBody, (error: object) => events({ error })]) {
      expect(reported(await streamed(answer({ code: 429, message: 'Rate limit exceeded' })))).toMatchObject({
        outcome: { type: 'failed', verdict: { class: 'rateLimited', billed: 'no' } },
        money: { type: 'settle', costNanoUsd: 0 },
      });
      expect(reported(await streamed(answer({ code: 502, message: 'Provider returned error' })))).not.toHaveProperty('money');
    }
    const late = await streamed(events(delta({ content: 'Hal' }), { error: { code: 429, message: 'Rate limit exceeded' } }));
    expect(reported(late)).toMatchObject({ outcome: { verdict: { class: 'rateLimited', billed: 'unknown' } } });
    expect(reported(late)).not.toHaveProperty('money');
  });

  test('that ends a reply with an error of the model behind it: the reply is not used, and settled only where it was counted', async () => {
    const broken = delta({ content: '' }, 'error');
    const [uncounted, counted] = [
      await streamed(events(delta({ content: 'Hal' }), broken, '[DONE]')),
      await streamed(events(delta({ content: 'Hal' }), broken, { choices: [], usage: count }, '[DONE]')),
    ];
    expect(reported(uncounted)).toMatchObject({ outcome: { type: 'failed', verdict: { billed: 'unknown' } } });
    expect(reported(uncounted)).not.toHaveProperty('money');
    expect(reported(counted)).toMatchObject({ outcome: { type: 'failed', verdict: { billed: 'yes' } }, money: { type: 'settle' } });
    const completion = { id: 'c', choices: [{ finish_reason: 'error', error: { code: 502, message: 'Provider disconnected' }, message: { content: 'Hal' } }] };
    const whole = await streamed((response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion)));
    expect(reported(whole)).toMatchObject({ outcome: { type: 'failed', verdict: { billed: 'unknown' } } });
  });

  test('that keeps a hung stream open with comments is noticed', async () => {
    const result = await streamed((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`data: ${JSON.stringify(delta({ content: 'Hal' }))}\n\n`);
      const timer = setInterval(() => response.write(': still here\n\n'), 50);
      response.on('close', () => clearInterval(timer));
    });
    expect(result).toMatchObject({ type: 'failure', begun: true, signal: { transport: 'timeout' } });
  });

  test('that leaves the connection open after the end does not hold the reply up', async () => {
    const result = await streamed((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write([delta({ content: 'Yes' }), delta({}, 'stop'), { choices: [], usage: count }].map((each) => `data: ${JSON.stringify(each)}\n\n`).join(''));
      response.write('data: [DONE]\n\n');
    });
    expect(result).toMatchObject({ type: 'reply', reply: { text: 'Yes' } });
  });
});
