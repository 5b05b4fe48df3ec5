import { join } from 'node:path';
import type OpenAI from 'openai';
import { APIConnectionError } from 'openai';
import { describe, expect, test } from 'vitest';
import { type Item, chat, errorOf, place, respond, RESPONSES_TOOL, scenario, start, TOOL } from './simulated-provider-fixture.ts';

describe('faults', () => {
  const REFUSALS = [
    ['rateLimit', 429, 'rate_limit_exceeded'],
    ['quota', 429, 'insufficient_quota'],
    ['serverError', 500, null],
    ['overloaded', 503, null],
    ['auth', 401, 'invalid_api_key'],
    ['modelNotFound', 404, 'model_not_found'],
    ['contextLength', 400, 'context_length_exceeded'],
  ] as const;
  test.each(REFUSALS)('%s answers %i and charges nothing, on its try only', async (type, status, code) => {
    const { provider, client } = await start(scenario({ text: 'fine', faults: [{ type, attempt: 1 }] }));
    expect(await errorOf(chat(client))).toMatchObject({ status, code });
    expect((await chat(client)).choices[0]?.message.content).toBe('fine');
    expect(await errorOf(respond(client, { background: true, store: true, model: 'gpt-5-nano' }))).toMatchObject({ status, code });
    expect(provider.bill()).toMatchObject([{ fault: type, nanoUsd: 0, attempt: 1 }, { attempt: 2 }, { fault: type, nanoUsd: 0, model: 'gpt-5-nano' }]);
    expect(provider.bill()[1]?.nanoUsd).toBeGreaterThan(0);
  });

  test('a rate limit says how long to wait, in seconds and milliseconds', async () => {
    const { client } = await start(scenario({ text: 'fine', faults: [{ type: 'rateLimit', retryAfterMs: 1_300 }] }));
    const { headers } = await errorOf(chat(client));
    expect([headers?.get('retry-after'), headers?.get('retry-after-ms')]).toEqual(['2', '1300']);
  });

  test('tries are counted over restarts, by run where the request names one', async () => {
    const script = scenario({ text: 'fine', faults: [{ type: 'serverError', attempt: [1, 2] }] });
    const before = await start(script);
    await errorOf(chat(before.client));
    await before.provider.close();
    const { client, provider } = await start(script);
    await errorOf(chat(client));
    await errorOf(chat(client, { metadata: { tollgate_run: 'other' } }));
    expect((await chat(client)).choices[0]?.message.content).toBe('fine');
    expect(provider.bill().map((entry) => entry.attempt)).toEqual([1, 2, 1, 3]);
  });

  test.each(['cutAfterWork', 'malformed'] as const)('%s is charged although no reply can be read', async (type) => {
    const { provider, client } = await start(scenario({ text: 'fine', faults: [{ type }] }));
    await expect(chat(client)).rejects.toThrow();
    await expect(respond(client)).rejects.toThrow();
    expect(provider.bill()).toHaveLength(2);
    for (const entry of provider.bill()) expect(entry).toMatchObject({ fault: type, nanoUsd: expect.any(Number), outputTokens: expect.any(Number) });
    expect(provider.bill().every((entry) => entry.nanoUsd > 0)).toBe(true);
  });

  test.each([true, false])('a hang with billed: %s never answers', async (billed) => {
    const { provider, client } = await start(scenario({ text: 'fine', faults: [{ type: 'hang', billed }] }));
    const hanging = client.chat.completions.create({ model: 'gpt-5-mini', messages: [{ role: 'user', content: 'Hi' }] }, { timeout: 200 });
    await expect(hanging).rejects.toBeInstanceOf(APIConnectionError);
    expect(provider.bill()).toHaveLength(1);
    expect((provider.bill()[0]?.nanoUsd ?? 0) > 0).toBe(billed);
  });

  test('a client that goes away while the work goes on has paid', async () => {
    const { provider, client } = await start(scenario({ text: 'fine', faults: [{ type: 'slow', delayMs: 2_000 }] }));
    const gone = client.chat.completions.create({ model: 'gpt-5-mini', messages: [{ role: 'user', content: 'Hi' }] }, { timeout: 100 });
    await expect(gone).rejects.toBeInstanceOf(APIConnectionError);
    expect(provider.bill()[0]?.nanoUsd).toBeGreaterThan(0);
  });

  test('replies that make no sense come in the shape of the API', async () => {
    const faults = (['emptyChoices', 'invalidJsonArguments', 'contentFilter', 'truncated', 'noUsage', 'failedResponse'] as const).map((type, index) => ({
      type,
      attempt: index + 1,
    }));
    const { client } = await start(
      scenario({ text: 'Some words', toolCalls: [{ name: 'look', arguments: { a: 1 } }], faults }, { refusal: 'No.' }, { text: 'x', empty: true }),
    );
    const replies: OpenAI.Chat.Completions.ChatCompletion[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) replies.push(await chat(client, { tools: [TOOL] }));
    expect(replies[0]?.choices).toEqual([]);
    const call = replies[1]?.choices[0]?.message.tool_calls?.[0];
    expect(() => JSON.parse(call?.type === 'function' ? call.function.arguments : '{}')).toThrow();
    expect(replies[2]?.choices[0]).toMatchObject({ finish_reason: 'content_filter', message: { content: '' } });
    expect(replies[3]).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 500 } });
    expect(replies[4]?.usage).toBeUndefined();
    expect((await errorOf(chat(client, { tools: [TOOL] }))).status).toBe(500);
    const nano = { tools: [RESPONSES_TOOL], model: 'gpt-5-nano' };
    expect((await respond(client, nano)).output).toEqual([]);
    await respond(client, nano);
    expect(await respond(client, nano)).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'content_filter' } });
    expect(await respond(client, nano)).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } });
    expect((await respond(client, nano)).usage).toBeNull();
    expect(await respond(client, nano)).toMatchObject({ status: 'failed', error: { code: 'server_error' } });
    const later: Item[] = [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'Hi' },
      { role: 'user', content: 'And?' },
    ];
    expect((await respond(client, {}, later)).output.at(-1)).toMatchObject({ type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] });
  });

  test('a campaign is the same for the same seed and another for another', async () => {
    const play = async (seed: number): Promise<string[]> => {
      const { provider, client } = await start({
        billFile: join(place.folder, `${Math.random()}.jsonl`),
        seed,
        faultRate: 0.5,
        faultTypes: ['serverError', 'malformed'],
      });
      for (let index = 0; index < 12; index += 1) await chat(client, {}, [{ role: 'user', content: `Hello ${index}` }]).catch(() => null);
      return provider.bill().map((entry) => entry.fault ?? 'none');
    };
    const [first, again, other] = [await play(7), await play(7), await play(8)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set(['none', 'serverError', 'malformed']));
  });
});
