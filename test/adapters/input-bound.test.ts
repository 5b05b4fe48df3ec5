import fc from 'fast-check';
import { countTokens as countCl100k } from 'gpt-tokenizer/encoding/cl100k_base';
import { countTokens as countO200k } from 'gpt-tokenizer/encoding/o200k_base';
import { countChatCompletionTokens } from 'gpt-tokenizer/model/gpt-4o';
import { describe, expect, test } from 'vitest';
import { chatBody } from '../../adapters/providers/openai/chat-mapping.ts';
import { createOpenAiEndpoint } from '../../adapters/providers/openai/openai-endpoint.ts';
import { responsesBody } from '../../adapters/providers/openai/responses-mapping.ts';
import { readChatRequest } from '../../adapters/providers/simulated/chat-request.ts';
import { readResponsesRequest } from '../../adapters/providers/simulated/responses-request.ts';
import { countInput } from '../../adapters/providers/simulated/token-count.ts';
import { encodingOf, longestFormBytes, measureOf } from '../../adapters/tokenizers/openai-tokenizer.ts';
import type { ToolCallId } from '../../contracts/ids.ts';
import type { ModelRequest, TranscriptMessage } from '../../contracts/model.ts';
import { byteBound, tokenBound } from '../../domain/budget/input-bound.ts';
import { holdsFor } from '../support/property.ts';
import { seededRandom } from '../support/seeded-random.ts';

const AS_TEXT = { disallowedSpecial: new Set<string>() };
const o200k = await measureOf('o200k_base');
const cl100k = await measureOf('cl100k_base');

/** Any text: all of Unicode, halves of pairs too, long runs, marks of the tokenizer itself, spaces of every kind. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 150 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ maxLength: 150 }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)), maxLength: 200 }),
  fc
    .tuple(fc.constantFrom('a', 'é', '漢', 'ก', '👩‍👩‍👧', '{', ' ', '\n', '\ufdfa', '<|endoftext|>', '<|im_start|>'), fc.integer({ min: 1, max: 600 }))
    .map(([unit, times]) => unit.repeat(times)),
);

const message: fc.Arbitrary<TranscriptMessage> = fc.oneof(
  fc.record({ role: fc.constantFrom('system' as const, 'user' as const), text }),
  text.map((said): TranscriptMessage => ({ role: 'assistant', text: said, toolCalls: [] })),
);

/** A round of calls and their results, as endpoints demand them. */
const round: fc.Arbitrary<TranscriptMessage[]> = fc.array(text, { minLength: 1, maxLength: 3 }).map((texts) => [
  {
    role: 'assistant',
    text: null,
    toolCalls: texts.map((said, index) => ({ toolCallId: `call_${index}` as ToolCallId, name: 'look', argumentsText: JSON.stringify({ said }) })),
  },
  ...texts.map((said, index): TranscriptMessage => ({ role: 'tool', toolCallId: `call_${index}` as ToolCallId, name: 'look', text: said, isError: false })),
]);

const tool = fc.record({
  name: fc.constantFrom('look', 'find_order', 'refund'),
  description: text,
  parameters: text.map((description) => ({ type: 'object', properties: { said: { type: 'string', description } }, required: ['said'] })),
});

const request: fc.Arbitrary<ModelRequest> = fc.record(
  {
    model: fc.constant('gpt-5-mini'),
    api: fc.constantFrom('chat' as const, 'responses' as const),
    messages: fc
      .array(
        fc.oneof(
          message.map((one) => [one]),
          round,
        ),
        { minLength: 1, maxLength: 6 },
      )
      .map((parts): TranscriptMessage[] => [{ role: 'user', text: 'Hello.' }, ...parts.flat()]),
    tools: fc.array(tool, { maxLength: 3 }),
    outputFormat: text.map((description) => ({ name: 'answer', schema: { type: 'object', description }, strict: false })),
    maxOutputTokens: fc.constant(100),
    background: fc.constant(false),
  },
  { requiredKeys: ['model', 'api', 'messages', 'tools', 'maxOutputTokens', 'background'] },
);

function bodyOf(asked: ModelRequest): string {
  return JSON.stringify(asked.api === 'chat' ? chatBody(asked, { isOpenAi: true }) : responsesBody(asked, { isOpenAi: true }));
}

function simulatedCount(asked: ModelRequest): number {
  const body = bodyOf(asked);
  const read = asked.api === 'chat' ? readChatRequest : readResponsesRequest;
  return countInput(read(JSON.parse(body), Buffer.byteLength(body))).inputTokens;
}

test('a text is bounded by at least what the tokenizer makes of it, and by no more than its bytes', () => {
  holdsFor(text, (said) => {
    for (const [measure, count] of [
      [o200k, countO200k],
      [cl100k, countCl100k],
    ] as const) {
      expect(measure.tokens(said)).toBeGreaterThanOrEqual(count(said, AS_TEXT));
      expect(measure.tokens(said)).toBeLessThanOrEqual(Buffer.byteLength(said));
    }
  });
});

test('a whole request is bounded by at least the tokens of all its text together', () => {
  holdsFor(request, (asked) => {
    const bytes = longestFormBytes(bodyOf(asked));
    const said = asked.messages.flatMap((one) => [
      one.text ?? '',
      ...(one.role === 'assistant' ? one.toolCalls.flatMap((call) => [call.name, call.argumentsText]) : []),
    ]);
    const described = asked.tools.flatMap(({ name, description, parameters }) => [name, description, JSON.stringify(parameters)]);
    const all = [...said, ...described, asked.outputFormat ? JSON.stringify(asked.outputFormat.schema) : ''].join('\n');
    for (const [measure, count] of [
      [o200k, countO200k],
      [cl100k, countCl100k],
    ] as const) {
      expect(tokenBound(bytes, asked, measure)).toBeGreaterThanOrEqual(count(all, AS_TEXT));
      expect(tokenBound(bytes, asked, measure)).toBeLessThanOrEqual(byteBound(bytes, asked));
      expect(byteBound(bytes, asked)).toBeGreaterThanOrEqual(count(all, AS_TEXT));
    }
  });
});

test('both bounds cover what the simulated provider counts, tools, calls and output format included', () => {
  holdsFor(request, (asked) => {
    const bytes = longestFormBytes(bodyOf(asked));
    const counted = simulatedCount(asked);
    expect(tokenBound(bytes, asked, o200k)).toBeGreaterThanOrEqual(counted);
    expect(byteBound(bytes, asked)).toBeGreaterThanOrEqual(counted);
  });
});

test("the bound covers OpenAI's rendering of messages and functions, by somebody else's count", () => {
  const functions = Array.from({ length: 12 }, (_, index) => ({
    name: `tool_${index}`,
    description: 'Finds an order by its number, and says when it will arrive.',
    parameters: {
      type: 'object' as const,
      required: ['order'],
      properties: { order: { type: 'string' as const, description: 'Its number' }, kind: { type: 'string' as const, enum: ['a', 'b', 'c'] } },
    },
  }));
  const messages = Array.from({ length: 40 }, (_, index) => ({ role: index % 2 ? ('user' as const) : ('system' as const), content: 'ok' }));
  const counted = countChatCompletionTokens?.({ messages, functions } as Parameters<NonNullable<typeof countChatCompletionTokens>>[0]) ?? 0;
  const asked: ModelRequest = {
    model: 'gpt-4o',
    api: 'chat',
    messages: messages.map(({ role, content }) => ({ role, text: content })),
    tools: functions,
    maxOutputTokens: 10,
    background: false,
  };
  expect(counted).toBeGreaterThan(500);
  expect(tokenBound(longestFormBytes(bodyOf(asked)), asked, o200k)).toBeGreaterThanOrEqual(counted);
});

test('a text that a tokenizer may normalise to a longer one is bounded by the longer one', () => {
  expect(longestFormBytes('\ufdfa')).toBe(Buffer.byteLength('\ufdfa'.normalize('NFKD')));
  expect(longestFormBytes('\ufdfa')).toBeGreaterThan(Buffer.byteLength('\ufdfa'));
  holdsFor(text, (said) => {
    for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const) expect(longestFormBytes(said)).toBeGreaterThanOrEqual(Buffer.byteLength(said.normalize(form)));
  });
});

test('ordinary text is bounded at a quarter to a half of its bytes, and what is no text at its bytes', () => {
  const prose = 'The parcel left the warehouse on Monday and is expected at your door by Thursday evening. '.repeat(20);
  const asked: ModelRequest = {
    model: 'gpt-5-mini',
    api: 'chat',
    messages: [{ role: 'user', text: prose }],
    tools: [],
    maxOutputTokens: 10,
    background: false,
  };
  const bytes = longestFormBytes(bodyOf(asked));
  expect(tokenBound(bytes, asked, o200k)).toBeLessThan(byteBound(bytes, asked) * 0.45);
  expect(o200k.tokens('ab'.repeat(2_000))).toBe(4_000);
});

test('what could hold the process up is bounded by its bytes instead of being counted', () => {
  const hostile = ['x'.repeat(1_000_000), ' '.repeat(1_000_000), '漢'.repeat(300_000), `${'y'.repeat(511)} `.repeat(250)];
  const start = performance.now();
  for (const said of hostile) expect(o200k.tokens(said)).toBeLessThanOrEqual(Buffer.byteLength(said));
  expect(performance.now() - start).toBeLessThan(3_000);
});

test('a text is counted once: a transcript that grows costs what was added', () => {
  const random = seededRandom(7);
  const said = Array.from({ length: 5_000 }, () => `${'abcdefghijklmnopqrstuvwxyz'.slice(random.below(13), 13 + random.below(13))} `).join('');
  const timeOf = (body: () => void) => {
    const start = performance.now();
    body();
    return performance.now() - start;
  };
  const first = timeOf(() => o200k.tokens(said));
  const again = Math.min(...[1, 2, 3].map(() => timeOf(() => o200k.tokens(said))));
  expect(again).toBeLessThan(first / 3);
});

describe('which tokenizer', () => {
  test.each([
    ['gpt-5-mini', 'o200k_base'],
    ['gpt-4.1-nano-2025-04-14', 'o200k_base'],
    ['gpt-4o', 'o200k_base'],
    ['o3-mini', 'o200k_base'],
    ['ft:gpt-4o-mini:shop::1', 'o200k_base'],
    ['gpt-4-turbo', 'cl100k_base'],
    ['gpt-3.5-turbo-0125', 'cl100k_base'],
    ['gpt-6', null],
    ['claude-sonnet-4-5', null],
    ['gpt-oss-20b', null],
    ['openai/gpt-5', null],
  ])('%s: %s', (model, encoding) => expect(encodingOf(model)).toBe(encoding));

  test('an endpoint counts only for a model whose tokenizer it was told', async () => {
    const endpoint = createOpenAiEndpoint({
      apiKey: 'x',
      baseUrl: 'http://127.0.0.1:1/v1',
      api: 'chat',
      encodingOf: (model) => (model === 'known' ? 'o200k_base' : null),
    });
    const asked: ModelRequest = { model: 'known', api: 'chat', messages: [{ role: 'user', text: 'Hello.' }], tools: [], maxOutputTokens: 1, background: false };
    expect(await endpoint.tokenBound?.(asked)).toBeGreaterThan(2);
    expect(await endpoint.tokenBound?.({ ...asked, model: 'other' })).toBeNull();
  });
});
