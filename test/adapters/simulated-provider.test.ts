import { fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { APIError } from 'openai';
import { describe, expect, test } from 'vitest';
import { loadScenarios, SHIPPED_SCENARIOS } from '../../adapters/providers/simulated/main.ts';
import { isMcpTool } from '../../domain/task/define.ts';
import { createCustomerSupport } from '../../tasks/customer-support/task.ts';
import {
  type ChatMessage,
  type Item,
  type Turns,
  chat,
  clientOf,
  errorOf,
  json,
  place,
  respond,
  RESPONSES_TOOL,
  scenario,
  start,
  TOOL,
} from './simulated-provider-fixture.ts';

const MAIN = fileURLToPath(new URL('../../adapters/providers/simulated/main.ts', import.meta.url));

describe('replies', () => {
  test('a request without a scenario gets an answer that plainly says it is simulated', async () => {
    const { provider, client } = await start();
    const { data, response } = await chat(client, {}, undefined, { 'x-client-request-id': 'a1' }).withResponse();
    expect(data.choices[0]?.message.content).toMatch(/^\[simulated\]/);
    expect(data).toMatchObject({ object: 'chat.completion', model: 'gpt-5-mini', system_fingerprint: 'simulated' });
    expect(data.choices[0]?.finish_reason).toBe('stop');
    expect(response.headers.get('x-tollgate-simulated')).toBe('true');
    const inResponses = await respond(client);
    expect(inResponses.output_text).toMatch(/^\[simulated\]/);
    expect(inResponses).toMatchObject({ status: 'completed', metadata: { simulated: 'true' } });
    expect(provider.bill()).toMatchObject([
      { clientRequestId: 'a1', api: 'chat', scenario: 'default', turn: 1, attempt: 1 },
      { api: 'responses', attempt: 2 },
    ]);
  });

  test('the turn depends on the request alone, in both APIs, and parallel calls are one turn', async () => {
    const turns: Turns = [
      { text: 'one', toolCalls: [{ name: 'look' }, { name: 'look', arguments: { at: 2 } }] },
      { toolCalls: [{ name: 'look' }] },
      { text: 'three' },
    ];
    const { client } = await start(scenario(...turns));
    const tools = { tools: [TOOL] };
    const first = await chat(client, tools);
    expect(first.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: 'one', tool_calls: [{ function: { arguments: '{}' } }, { function: { arguments: '{"at":2}' } }] },
    });
    const messages: ChatMessage[] = [{ role: 'user', content: 'Hello' }];
    for (const text of [null, 'three']) {
      const { message } = (await chat(client, tools, messages)).choices[0] ?? expect.fail();
      messages.push(message, ...(message.tool_calls ?? []).map((call): ChatMessage => ({ role: 'tool', tool_call_id: call.id, content: 'seen' })));
      expect((await chat(client, tools, messages)).choices[0]?.message.content).toBe(text);
    }
    const input: Item[] = [{ role: 'user', content: 'Hello' }];
    for (const text of ['', 'three']) {
      const { output } = await respond(client, { tools: [RESPONSES_TOOL] }, input);
      expect(output[0]?.type).toBe('reasoning');
      const calls = output.filter((item) => item.type === 'function_call');
      input.push(...(output as Item[]), ...calls.map((call): Item => ({ type: 'function_call_output', call_id: call.call_id, output: 'seen' })));
      expect((await respond(client, { tools: [RESPONSES_TOOL] }, input)).output_text).toBe(text);
    }
  });

  test('alternatives react to what came back, models differ, and the last turn repeats where it may', async () => {
    const second = {
      text: 'done',
      alternatives: [{ when: { lastToolResultIncludes: ['refused', 'denied'] }, text: 'sorry' }],
      byModel: { 'gpt-5-nano': { text: 'nano' } },
    };
    const { client } = await start({
      scenarios: [{ id: 'loop', match: { user: 'Hello' }, repeatLast: true, turns: [{ toolCalls: [{ name: 'look' }] }, second] }],
    });
    const at = (result: string, model: string, more: ChatMessage[] = []) =>
      chat(client, { tools: [TOOL], model }, [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', tool_calls: [{ id: 'c', type: 'function', function: { name: 'look', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'c', content: result },
        ...more,
      ]).then((reply) => reply.choices[0]?.message.content);
    expect(await at('fine', 'gpt-5-mini')).toBe('done');
    expect(await at('A person DENIED it', 'gpt-5-mini')).toBe('sorry');
    expect(await at('fine', 'gpt-5-nano')).toBe('nano');
    expect(
      await at('fine', 'gpt-5-mini', [
        { role: 'assistant', content: 'done' },
        { role: 'user', content: 'And?' },
      ]),
    ).toBe('done');
  });

  test('a model that is offered no tools calls none', async () => {
    const { client } = await start(scenario({ text: 'words', toolCalls: [{ name: 'look' }] }));
    for (const extra of [{}, { tools: [TOOL], tool_choice: 'none' }]) {
      expect((await chat(client, extra)).choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'words' } });
    }
  });

  test('streams carry the same reply, with the usage at the end', async () => {
    const { provider, client } = await start(
      scenario({ text: 'A longer text, which comes in several pieces – ünd më.', toolCalls: [{ name: 'look', arguments: { far: 'away over there' } }] }),
    );
    const body = { model: 'gpt-5-mini', messages: [{ role: 'user' as const, content: 'Hello' }], tools: [TOOL], stream_options: { include_usage: true } };
    const streamed = await client.chat.completions.stream(body).finalChatCompletion();
    expect(streamed.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: expect.stringContaining('several pieces – ünd më.') } });
    expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { arguments: '{"far":"away over there"}' } });
    expect(streamed.usage?.completion_tokens).toBe(provider.bill()[0]?.outputTokens);
    const response = await client.responses.stream({ model: 'gpt-5-mini', input: 'Hello', tools: [RESPONSES_TOOL], store: false }).finalResponse();
    expect(response.output_text).toContain('several pieces – ünd më.');
    expect(response.output.find((item) => item.type === 'function_call')).toMatchObject({ arguments: '{"far":"away over there"}' });
    expect(response.usage?.output_tokens).toBe(provider.bill()[1]?.outputTokens);
  });
});

describe('what is refused', () => {
  test('requests that OpenAI would refuse are refused and cost nothing', async () => {
    const { provider, client } = await start(scenario({ text: 'fine' }));
    const call = { id: 'c', type: 'function' as const, function: { name: 'look', arguments: '{}' } };
    const user: ChatMessage = { role: 'user', content: 'Hello' };
    expect((await errorOf(chat(client, { model: 'gpt-9' }))).code).toBe('model_not_found');
    expect((await errorOf(chat(client, {}, [user, { role: 'assistant', tool_calls: [call] }]))).message).toContain('did not have response messages: c');
    expect((await errorOf(chat(client, {}, [user, { role: 'tool', tool_call_id: 'c', content: '' }]))).status).toBe(400);
    expect((await errorOf(respond(client, {}, [{ type: 'function_call', call_id: 'c', name: 'look', arguments: '{}' }]))).message).toContain(
      'No tool output found for function call c',
    );
    expect((await errorOf(respond(client, { background: true }))).code).toBe('unsupported_parameter');
    expect((await errorOf(respond(client, { previous_response_id: 'resp_1' }))).code).toBe('unsupported_parameter');
    expect((await errorOf(chat(client, {}, []))).code).toBe('invalid_value');
    const post = (body: string) => fetch(`${provider.url}/responses`, { method: 'POST', body, headers: { 'x-client-request-id': 'r1' } });
    expect((await post('{"model"')).status).toBe(400);
    expect((await post(`"${'x'.repeat(4 * 1024 * 1024)}"`)).status).toBe(413);
    expect(await json(`${provider.url}/requests/r1`)).toMatchObject({ status: 'notCharged', nanoUsd: 0 });
    expect(provider.bill().every((entry) => entry.nanoUsd === 0 && entry.fault !== undefined)).toBe(true);
    expect((await fetch(`${provider.url}/elsewhere`)).status).toBe(404);
  });

  test('encrypted reasoning goes back to the model that made it and to no other', async () => {
    const { client } = await start(scenario({ text: 'one' }, { text: 'two' }));
    const include = { include: ['reasoning.encrypted_content'] };
    const { output } = await respond(client, include);
    const input: Item[] = [{ role: 'user', content: 'Hello' }, ...(output as Item[]), { role: 'user', content: 'And?' }];
    expect((await respond(client, include, input)).output_text).toBe('two');
    expect((await errorOf(respond(client, { ...include, model: 'gpt-5-nano' }, input))).code).toBe('invalid_encrypted_content');
  });

  test('every mistake of every scenario file is listed at once', async () => {
    await writeFile(join(place.folder, 'a.yaml'), 'id: a\nturns:\n  - { say: hi }\n  - { text: x, faults: [{ type: explode }] }\n');
    await writeFile(join(place.folder, 'b.json'), '[{ "id": "b", "turns": [{ "text": "x" }] }, { "id": "b", "turns": [{ "text": "y" }] }]');
    await writeFile(join(place.folder, 'c.yml'), 'turns: [');
    const load = () => loadScenarios([place.folder, join(place.folder, 'none.yaml')]);
    for (const part of ['turns.0', 'turns.1.faults.0.type', 'Two scenarios have the id "b"', 'c.yml: ', 'none.yaml: there is no such'])
      expect(load).toThrow(part);
  });
});

describe('the process', () => {
  const ready = async (...args: string[]) => {
    const child = fork(MAIN, ['--bill', place.billFile, ...args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const [message] = (await once(child, 'message')) as [{ type: string; url: string }];
    return { child, url: message.url, client: clientOf(message.url) };
  };

  test('says where it is, keeps its bill through kill -9, and goes on with it', async () => {
    const first = await ready();
    try {
      await chat(first.client);
      expect(await json(`${first.url}/bill`)).toHaveLength(1);
    } finally {
      first.child.kill('SIGKILL');
    }
    await appendFile(place.billFile, '{"at":"half a li');
    const second = await ready('--seed', '3');
    try {
      await chat(second.client);
      expect(await json(`${second.url}/bill`)).toMatchObject([{ attempt: 1 }, { attempt: 2 }]);
      expect((await readFile(place.billFile, 'utf8')).trim().split('\n')).toHaveLength(3);
      second.child.kill('SIGTERM');
      expect(await once(second.child, 'exit')).toEqual([0, null]);
    } finally {
      second.child.kill('SIGKILL');
    }
  });

  test('stops when its parent goes away', async () => {
    const { child } = await ready();
    try {
      child.disconnect();
      expect(await once(child, 'exit')).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('says what is wrong with its options and exits with 2', async () => {
    const child = fork(MAIN, ['--port', 'x', '--bill', place.billFile], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const said: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    expect((await once(child, 'close'))[0]).toBe(2);
    expect(said.join('')).toContain('--port is "x"');
    expect(said.join('')).not.toContain('    at ');
  });
});

describe('the shipped scenario', () => {
  test.each([
    ['an approved refund', 'The tent arrived with a torn seam. And where is my order W-1043?', '{"status":"refunded"}', '329.00 USD'],
    ['a denied refund', 'My jacket arrived torn.', '{"status":"denied"}', 'repair voucher'],
  ])('plays %s with calls that the shipped tools accept', async (_name, message, refundResult, ending) => {
    const { client } = await start({ scenarios: loadScenarios([SHIPPED_SCENARIOS]) });
    const task = createCustomerSupport({ databasePath: ':memory:' });
    const tools = (task.tools ?? []).map((tool) => ({ ...RESPONSES_TOOL, name: tool.name }));
    const input: Item[] = [{ role: 'user', content: message }];
    const called: string[] = [];
    const failed: number[] = [];
    let model = 'gpt-5-mini';
    let text = '';
    for (let tries = 0; tries < 12 && text === ''; tries += 1) {
      const reply = await respond(client, { instructions: task.prompt, tools, model }, input).catch((error: APIError) => error);
      if (reply instanceof APIError) {
        failed.push(reply.status ?? 0);
        model = reply.status === 500 ? 'gpt-5-nano' : 'gpt-5-mini';
        continue;
      }
      model = 'gpt-5-mini';
      const calls = reply.output.filter((item) => item.type === 'function_call');
      input.push(...calls.map(({ call_id, name, arguments: args }): Item => ({ type: 'function_call', call_id, name, arguments: args })));
      for (const call of calls) {
        const tool = task.tools?.find((candidate) => candidate.name === call.name) ?? expect.fail(`no tool ${call.name}`);
        if (isMcpTool(tool)) expect.fail(`${tool.name} is none of ours`);
        expect(tool.parameters.safeParse(JSON.parse(call.arguments)).success).toBe(true);
        called.push(call.name);
        input.push({ type: 'function_call_output', call_id: call.call_id, output: call.name === 'refund_order' ? refundResult : '{}' });
      }
      if (calls.length === 0) text = reply.output_text;
    }
    expect(text).toContain(ending);
    expect(called.at(-1)).toBe('refund_order');
    expect(called.slice(0, 2)).toEqual(['find_order', 'list_customer_orders']);
    expect(called[2]).toBe(message.includes('W-1043') ? 'find_order' : 'change_address');
    expect(failed).toEqual([500, 429]);
  });
});
