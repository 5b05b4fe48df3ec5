import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { clientOf, json, place, respond, scenario, start } from './simulated-provider-fixture.ts';

const TEXT = 'Words and more words, enough of them for a stream of a good many pieces. '.repeat(4);
const usage = { inputTokens: 40, cachedTokens: 10, outputTokens: 80, reasoningTokens: 20 };
const WHOLE = 30 * 250 + 10 * 25 + 80 * 2000;
type Faults = NonNullable<ScenarioInput['turns'][number]['faults']>;
const words = (...faults: Faults) => scenario({ text: TEXT, usage, faults });
const headers = { 'x-client-request-id': 'a1' };

/** The raw events of a stream, as far as they come, and what became of the connection. */
async function listen(url: string, api: 'chat' | 'responses', until: (text: string) => boolean = () => false) {
  const body =
    api === 'chat'
      ? { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'Hello' }], stream: true, stream_options: { include_usage: true } }
      : { model: 'gpt-5-mini', input: 'Hello', stream: true, store: false };
  const controller = new AbortController();
  const path = api === 'chat' ? 'chat/completions' : 'responses';
  const response = await fetch(`${url}/${path}`, { method: 'POST', body: JSON.stringify(body), headers, signal: controller.signal });
  let text = '';
  try {
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes as Uint8Array, { stream: true });
      if (until(text)) controller.abort();
    }
  } catch {
    return { text, end: controller.signal.aborted ? ('gone' as const) : ('cut' as const) };
  }
  return { text, end: 'closed' as const };
}

const deltas = (text: string) => text.split('\n').filter((line) => /^data:.*("content":"[^"]|output_text\.delta)/.test(line)).length;
const apis = ['chat', 'responses'] as const;

describe.each(apis)('a streamed reply (%s)', (api) => {
  test('that is cut costs the input and the part that was generated, and says nothing of its usage', async () => {
    const { provider } = await start(words({ type: 'cutStream', afterChunks: 4 }));
    const { text, end } = await listen(provider.url, api);
    expect([end, deltas(text), /"(completion|output)_tokens":8/.test(text)]).toEqual(['cut', 4, false]);
    const [entry] = provider.bill();
    expect(entry).toMatchObject({ fault: 'cutStream', inputTokens: 40, reasoningTokens: 20 });
    expect(entry?.nanoUsd).toBeGreaterThan(30 * 250 + 20 * 2000);
    expect(entry?.nanoUsd).toBeLessThan(WHOLE);
  });

  test('that hangs stays open; what was generated is on the bill by then', async () => {
    const { provider } = await start(words({ type: 'hangInStream', afterChunks: 3 }));
    const { end } = await listen(provider.url, api, (text) => deltas(text) === 3);
    expect(end).toBe('gone');
    expect(provider.bill()).toMatchObject([{ fault: 'hangInStream' }]);
  });

  test('whose client goes away costs what was generated until then', async () => {
    const { provider } = await start(words({ type: 'slowStream', chunkDelayMs: 30 }));
    const listening = listen(provider.url, api, (text) => deltas(text) === 3);
    await sleep(60);
    expect(await json(`${provider.url}/requests/a1`)).toMatchObject({ status: 'inProgress', nanoUsd: 0 });
    expect((await listening).end).toBe('gone');
    await expect.poll(() => provider.bill().length).toBe(1);
    expect(provider.bill()[0]?.outputTokens).toBeLessThan(60);
  });

  test('that is slow and complete costs all of it, and its bill is written before its end is told', async () => {
    const { provider } = await start(words({ type: 'slowStream', chunkDelayMs: 1 }));
    let billed = 0;
    await listen(provider.url, api, (text) => {
      if (/"(completion|output)_tokens":80/.test(text)) billed = provider.bill()[0]?.nanoUsd ?? 0;
      return false;
    });
    expect(billed).toBe(WHOLE);
    expect(provider.bill()).toHaveLength(1);
  });

  test('with an error in the middle costs what was generated, with one in its place nothing', async () => {
    const { provider } = await start(
      words({ type: 'errorInStream', attempt: 1 }, { type: 'errorInStream', attempt: 2, afterChunks: 0, code: 'rate_limit_exceeded' }),
    );
    expect((await listen(provider.url, api)).text).toContain('"code":"server_error"');
    expect((await listen(provider.url, api)).text).toContain('"code":"rate_limit_exceeded"');
    const [middle, place1] = provider.bill();
    expect(middle?.nanoUsd).toBeGreaterThan(0);
    expect(place1).toMatchObject({ nanoUsd: 0, inputTokens: 0 });
  });

  test('that ends early, is empty or broken is billed and has no end of its own', async () => {
    const { provider } = await start(words({ type: 'endsEarly', attempt: 1 }, { type: 'emptyStream', attempt: 2 }, { type: 'malformedChunk', attempt: 3 }));
    const heard = [await listen(provider.url, api), await listen(provider.url, api), await listen(provider.url, api)];
    expect(heard.map(({ end }) => end)).toEqual(['closed', 'closed', 'closed']);
    expect(heard.map(({ text }) => deltas(text))).toEqual([2, 0, 2]);
    expect(heard.some(({ text }) => /\[DONE\]|response\.completed/.test(text))).toBe(false);
    expect(provider.bill().map(({ nanoUsd }) => nanoUsd > 0)).toEqual([true, true, true]);
  });
});

test('a request that is not streamed does not meet the faults of streams', async () => {
  const { client } = await start(words({ type: 'cutStream' }));
  expect((await respond(client)).output_text).toBe(TEXT);
});

test('a stored response that is deleted is not found any more, also after a restart; its bill stays', async () => {
  const { provider, client } = await start(words({ type: 'slow', delayMs: 60_000 }));
  const { id } = await respond(client, { background: true, store: true });
  expect(await client.responses.delete(id)).toMatchObject({ id, deleted: true });
  await expect(client.responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
  await expect(client.responses.delete(id)).rejects.toMatchObject({ status: 404 });
  expect(provider.bill()).toMatchObject([{ responseId: id, fault: 'cancelled' }]);
  await provider.close();
  const again = await start({ billFile: place.billFile });
  await expect(clientOf(again.provider.url).responses.retrieve(id)).rejects.toMatchObject({ status: 404 });
  expect(again.provider.bill()).toHaveLength(1);
});
