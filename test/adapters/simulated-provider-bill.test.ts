import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChatMessage, chat, errorOf, json, respond, RESPONSES_TOOL, scenario, start, TOOL } from './simulated-provider-fixture.ts';

describe('money', () => {
  test('the bill shares no code with the ledger that is compared with it', async () => {
    const source = new URL('../../adapters/providers/simulated/', import.meta.url);
    for (const name of (await readdir(source)).filter((file) => file.endsWith('.ts'))) {
      const imports = [...(await readFile(new URL(name, source), 'utf8')).matchAll(/from '([^']+)'/g)].map(([, path]) => path ?? '');
      const foreign = imports.filter((path) => !path.startsWith('./') && !path.startsWith('node:'));
      expect(foreign.filter((path) => !['zod', 'yaml', '../../../contracts/failures.ts'].includes(path))).toEqual([]);
    }
  });

  test('what is reported is what is charged, in whole nano-USD at the list price', async () => {
    const { provider, client } = await start(
      scenario({ text: 'Some words.', usage: { inputTokens: 40, cachedTokens: 10, outputTokens: 7, reasoningTokens: 2 } }),
    );
    const { usage } = await chat(client);
    expect(usage).toMatchObject({
      prompt_tokens: 40,
      completion_tokens: 7,
      prompt_tokens_details: { cached_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 2 },
    });
    await chat(client, { model: 'gpt-5-nano' });
    await chat(client, { model: 'gpt-4.1-mini' });
    expect(provider.bill().map((entry) => entry.nanoUsd)).toEqual([30 * 250 + 10 * 25 + 7 * 2000, 30 * 50 + 10 * 5 + 7 * 400, 30 * 400 + 10 * 100 + 7 * 1600]);
  });

  test('no honest bill passes the bytes of the body plus 64, or the output limit', async () => {
    const { provider } = await start(scenario({ text: 'Wörter '.repeat(100), toolCalls: [{ name: 'look', arguments: { a: 'b'.repeat(300) } }] }));
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 600 }), fc.boolean(), async (text, limit, isChat) => {
        const body = isChat
          ? { model: 'gpt-5-mini', messages: [{ role: 'user', content: text }], tools: [TOOL], max_tokens: limit }
          : { model: 'gpt-5-mini', input: text, tools: [RESPONSES_TOOL], max_output_tokens: limit };
        const sent = JSON.stringify(body);
        await fetch(`${provider.url}/${isChat ? 'chat/completions' : 'responses'}`, { method: 'POST', body: sent });
        const entry = provider.bill().at(-1) ?? expect.fail();
        expect(entry.inputTokens).toBeLessThanOrEqual(Buffer.byteLength(sent) + 64);
        expect(entry.outputTokens).toBeLessThanOrEqual(limit);
        expect(entry.reasoningTokens).toBeLessThanOrEqual(entry.outputTokens);
      }),
      { numRuns: 40 },
    );
  });

  test('a reply longer than the limit is cut and ends for length', async () => {
    const { client } = await start(scenario({ text: 'Wörter '.repeat(100) }));
    const reply = await chat(client, { max_completion_tokens: 10 });
    expect(reply).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 10 } });
    expect(Buffer.byteLength(reply.choices[0]?.message.content ?? '')).toBeLessThanOrEqual(40);
  });

  test('usage above any bound is reported and charged on demand', async () => {
    const { provider, client } = await start(scenario({ text: 'fine', faults: [{ type: 'usageAboveBound' }] }));
    expect((await chat(client, { max_completion_tokens: 10 })).usage?.completion_tokens).toBe(80);
    expect(provider.bill()[0]?.inputTokens).toBeGreaterThan(300);
  });

  test('a long beginning is cached from the second turn on', async () => {
    const { client } = await start(scenario({ text: 'one' }, { text: 'two' }));
    const system: ChatMessage = { role: 'system', content: 'x'.repeat(6_000) };
    const first = await chat(client, {}, [system, { role: 'user', content: 'Hello' }]);
    expect(first.usage?.prompt_tokens_details?.cached_tokens).toBe(0);
    const second = await chat(client, {}, [
      system,
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: 'one' },
      { role: 'user', content: 'And?' },
    ]);
    expect(second.usage?.prompt_tokens_details?.cached_tokens).toBe(1_408);
  });

  test('a request can be looked up by its id, and one that never came is unknown', async () => {
    const { provider, client } = await start();
    await chat(client, { metadata: { tollgate_run: 'run-1' }, store: true }, undefined, { 'x-client-request-id': 'a/1' });
    await chat(client);
    const nanoUsd = provider.bill()[0]?.nanoUsd;
    expect(await json(`${provider.url}/requests/a%2F1`)).toMatchObject({
      status: 'charged',
      nanoUsd,
      entries: [{ clientRequestId: 'a/1', tollgateRun: 'run-1' }],
    });
    expect(await json(`${provider.url}/requests/other`)).toMatchObject({ error: { code: 'never_seen' } });
    const root = provider.url.replace('/v1', '');
    expect(await json(`${root}/bill`)).toEqual(provider.bill());
    expect(await json(`${root}/bill?clientRequestId=a%2F1`)).toHaveLength(1);
    expect(await json(`${root}/bill?conversation=run-1`)).toHaveLength(1);
  });
});

describe('background responses', () => {
  const background = { background: true, store: true };

  test('are queued, worked on and charged once when they are done', async () => {
    const { provider, client } = await start({ ...scenario({ text: 'fine' }), latencyMs: [300, 300] });
    const { id, status, output } = await respond(client, background, undefined, { 'x-client-request-id': 'b1' });
    expect([status, output]).toEqual(['queued', []]);
    expect(provider.bill()).toEqual([]);
    expect(await json(`${provider.url}/requests/b1`)).toMatchObject({ status: 'inProgress', responseIds: [id] });
    await sleep(100);
    expect((await client.responses.retrieve(id)).status).toBe('in_progress');
    await expect.poll(async () => (await client.responses.retrieve(id)).status).toBe('completed');
    const done = await client.responses.retrieve(id);
    expect(done).toMatchObject({ output_text: 'fine', background: true });
    expect(await client.responses.cancel(id)).toMatchObject({ status: 'completed' });
    expect(provider.bill()).toMatchObject([{ responseId: id, outputTokens: done.usage?.output_tokens }]);
  });

  test('cancelled ones are charged for the part that was done', async () => {
    const { provider, client } = await start({ ...scenario({ text: 'many words '.repeat(40) }), latencyMs: [1_000, 1_000] });
    const { id } = await respond(client, background);
    await sleep(400);
    const cancelled = await client.responses.cancel(id);
    expect(cancelled).toMatchObject({ status: 'cancelled', output: [] });
    const [entry] = provider.bill();
    expect(entry).toMatchObject({ fault: 'cancelled', outputTokens: cancelled.usage?.output_tokens, inputTokens: cancelled.usage?.input_tokens });
    expect(entry?.outputTokens).toBeGreaterThan(0);
    expect(entry?.outputTokens).toBeLessThan(110);
    expect(await client.responses.retrieve(id)).toMatchObject({ status: 'cancelled', usage: cancelled.usage });
    expect(provider.bill()).toHaveLength(1);
  });

  test('are known after a restart, and charged once', async () => {
    const script = { ...scenario({ text: 'fine' }), latencyMs: [200, 200] as const };
    const before = await start(script);
    const first = await respond(before.client, background, undefined, { 'x-client-request-id': 'b1' });
    const second = await respond(before.client, background);
    await before.client.responses.cancel(second.id);
    await before.provider.close();
    expect(before.provider.bill()).toHaveLength(1);
    await sleep(250);
    const { provider, client } = await start(script);
    expect(await client.responses.retrieve(first.id)).toMatchObject({ status: 'completed', output_text: 'fine' });
    expect((await client.responses.retrieve(second.id)).status).toBe('cancelled');
    expect((await respond(client, background)).id).not.toBe(first.id);
    expect(provider.bill().map((entry) => entry.responseId)).toEqual([second.id, first.id]);
  });

  test('a cut answer leaves the work going on; a hang ends when it is cancelled', async () => {
    const faults = [
      { type: 'cutAfterWork' as const, attempt: 1 },
      { type: 'hang' as const, attempt: 2 },
    ];
    const { provider, client } = await start(scenario({ text: 'fine', faults }));
    await expect(respond(client, background, undefined, { 'x-client-request-id': 'b1' })).rejects.toThrow();
    await expect.poll(() => provider.bill().length).toBe(1);
    expect(provider.bill()[0]).toMatchObject({ clientRequestId: 'b1', fault: 'cutAfterWork', responseId: expect.stringMatching(/^resp_/) });
    const { id } = await respond(client, background);
    await sleep(60);
    expect((await client.responses.retrieve(id)).status).toBe('in_progress');
    expect(await client.responses.cancel(id)).toMatchObject({ status: 'cancelled', usage: { total_tokens: 0 } });
    expect(provider.bill()).toMatchObject([{}, { fault: 'hang', nanoUsd: 0 }]);
    expect((await errorOf(client.responses.retrieve('resp_unknown'))).status).toBe(404);
  });
});
