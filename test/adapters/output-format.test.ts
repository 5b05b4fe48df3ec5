import { describe, expect, test } from 'vitest';
import { chatBody } from '../../adapters/providers/openai/chat-mapping.ts';
import { responsesBody } from '../../adapters/providers/openai/responses-mapping.ts';
import type { ModelRequest } from '../../contracts/model.ts';
import type { CandidateSnapshot, TaskSnapshot } from '../../contracts/task.ts';
import { modelRequest } from '../../domain/agent-run/model-request.ts';
import { chat, errorOf, respond, scenario, start } from './simulated-provider-fixture.ts';

const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false };
const format = { name: 'answer', schema, strict: true };
const request = (api: ModelRequest['api']): ModelRequest => ({
  model: 'gpt-5-mini',
  api,
  messages: [{ role: 'user', text: 'Hello' }],
  tools: [],
  outputFormat: format,
  maxOutputTokens: 100,
  background: false,
});

describe('on the wire', () => {
  test('chat says response_format, responses says text.format', () => {
    expect(chatBody(request('chat'), { isOpenAi: false })).toMatchObject({ response_format: { type: 'json_schema', json_schema: format } });
    expect(responsesBody(request('responses'), { isOpenAi: true })).toMatchObject({ text: { format: { type: 'json_schema', ...format } } });
  });

  test('a request without an output schema says neither', () => {
    const { outputFormat: _none, ...plain } = request('chat');
    expect(chatBody(plain, { isOpenAi: true })).not.toHaveProperty('response_format');
    expect(responsesBody(plain, { isOpenAi: true })).not.toHaveProperty('text');
  });
});

describe('the request of a step', () => {
  const task = { name: 'team.extract v1', prompt: 'P', tools: [], maxOutputTokens: 10, outputSchema: schema, limits: { maxToolCallsPerStep: 1 } };
  const snapshot = { task } as unknown as TaskSnapshot;
  const candidate = { wireModel: 'm', api: 'chat', background: false } as CandidateSnapshot;

  test('names the schema with the letters that a name may have', () => {
    expect(modelRequest(snapshot, candidate, [], 'step').outputFormat).toEqual({ name: 'team_extract_v1', schema, strict: true });
  });

  test('puts it into the prompt for an endpoint that refuses the field', () => {
    const { outputFormat, messages } = modelRequest(snapshot, { ...candidate, structuredOutput: false }, [], 'step');
    expect(outputFormat).toBeUndefined();
    expect(messages[0]).toMatchObject({ text: expect.stringContaining(JSON.stringify(schema)) });
  });

  test('a wrap-up asks for words', () => {
    const { outputFormat, messages } = modelRequest(snapshot, candidate, [], 'wrapUp');
    expect([outputFormat, messages[0]]).toEqual([undefined, { role: 'system', text: 'P' }]);
  });
});

describe('the simulated provider', () => {
  const chatFormat = (change: object = {}) => ({ response_format: { type: 'json_schema', json_schema: { ...format, ...change } } });
  const textFormat = (change: object = {}) => ({ text: { format: { type: 'json_schema', ...format, ...change } } });
  const open = { schema: { ...schema, additionalProperties: true } };
  const optional = { schema: { ...schema, required: [] } };

  test('takes the fields and charges the schema as input', async () => {
    const { provider, client } = await start(scenario({ text: '{"a":"b"}' }));
    await chat(client);
    await chat(client, chatFormat());
    expect((await respond(client, textFormat())).text).toMatchObject({ format: { name: 'answer' } });
    const [plain, inChat, inResponses] = provider.bill().map((entry) => entry.inputTokens);
    expect(inChat).toBeGreaterThan(plain ?? 0);
    expect(inResponses).toBeGreaterThan(plain ?? 0);
  });

  test.each([
    ['an open object', open, 'additionalProperties'],
    ['an optional property', optional, "Missing 'a'"],
  ])('refuses %s in strict mode, and takes it otherwise', async (_what, change, message) => {
    const { provider, client } = await start(scenario({ text: '{}' }));
    expect(await errorOf(chat(client, chatFormat(change)))).toMatchObject({ status: 400, message: expect.stringContaining(message) });
    expect(await errorOf(respond(client, textFormat(change)))).toMatchObject({ status: 400, param: 'text.format.schema' });
    await chat(client, chatFormat({ ...change, strict: false }));
    expect(provider.bill().map((entry) => entry.nanoUsd > 0)).toEqual([false, false, true]);
  });

  test('refuses a name with other letters', async () => {
    const { client } = await start(scenario({ text: '{}' }));
    expect(await errorOf(chat(client, chatFormat({ name: 'a.b' })))).toMatchObject({ status: 400 });
  });
});
