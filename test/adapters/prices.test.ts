import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPriceSource, PRICE_LIST } from '../../adapters/prices/genai-prices.ts';
import { priceAtEndpoint } from '../../adapters/prices/regional.ts';
import { priceLine } from '../../adapters/prices/price-line.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { upperBoundOf } from '../../domain/budget/price.ts';
import { holdsFor } from '../support/property.ts';

const NOW_MS = Date.parse('2026-11-25T12:00:00Z');
const source = createPriceSource();
const priced = (line: JsonObject, explain = false) => priceLine({ id: 1, ...line }, source, { nowMs: NOW_MS, explain });
const nano = (line: JsonObject): number | null => priced(line).nanoUsd;
const chat = (prompt: number, completion: number, details: JsonObject = {}) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  ...details,
});

test('the release of the price list that is named with every cost is the one that is installed', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  expect(dependencies[`@pydantic/${PRICE_LIST.name}`]).toBe(PRICE_LIST.version);
});

test.each([
  [
    'OpenAI chat',
    'openai',
    'gpt-5-mini',
    chat(1_200, 300, { prompt_tokens_details: { cached_tokens: 1_000 }, completion_tokens_details: { reasoning_tokens: 64 } }),
    675_000,
  ],
  [
    'OpenAI responses',
    'openai',
    'gpt-5-mini',
    {
      input_tokens: 1_200,
      input_tokens_details: { cached_tokens: 1_000 },
      output_tokens: 300,
      output_tokens_details: { reasoning_tokens: 64 },
      total_tokens: 1_500,
    },
    675_000,
  ],
  [
    'OpenAI with cache writes',
    'openai',
    'gpt-5.6-sol',
    chat(2_000, 100, { prompt_tokens_details: { cached_tokens: 500, cache_write_tokens: 1_000 } }),
    2_000_000 + 200_000 + 5_000_000 + 2_000_000,
  ],
  [
    'Azure',
    'azure',
    'gpt-4o',
    {
      ...chat(1_000, 100),
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
    3_500_000,
  ],
  [
    'Anthropic',
    'anthropic',
    'claude-haiku-4-5',
    { input_tokens: 200, cache_read_input_tokens: 800, cache_creation_input_tokens: 200, output_tokens: 300 },
    200_000 + 80_000 + 250_000 + 1_500_000,
  ],
  [
    'Anthropic with one-hour writes',
    'anthropic',
    'claude-haiku-4-5',
    {
      input_tokens: 200,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 300,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      output_tokens: 0,
    },
    200_000 + 125_000 + 400_000,
  ],
  ["Anthropic's compatible endpoint", 'anthropic', 'claude-haiku-4-5', chat(1_000, 100), 1_500_000],
  [
    'Anthropic through LiteLLM, cached tokens inside',
    'anthropic',
    'claude-haiku-4-5',
    chat(1_200, 300, {
      cache_read_input_tokens: 800,
      cache_creation_input_tokens: 200,
      prompt_tokens_details: { cached_tokens: 800, cache_creation_tokens: 200 },
    }),
    200_000 + 80_000 + 250_000 + 1_500_000,
  ],
  [
    "Gemini's compatible endpoint, thoughts only in the total",
    'google',
    'gemini-2.5-flash',
    { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_900 },
    300_000 + 900 * 2_500,
  ],
  [
    'Gemini',
    'google',
    'gemini-2.5-flash',
    { promptTokenCount: 1_000, cachedContentTokenCount: 400, candidatesTokenCount: 100, thoughtsTokenCount: 800, totalTokenCount: 1_900 },
    180_000 + 12_000 + 900 * 2_500,
  ],
  [
    'xAI, reasoning beside the output',
    'x-ai',
    'grok-4-fast',
    { ...chat(1_000, 100), total_tokens: 1_400, completion_tokens_details: { reasoning_tokens: 300 } },
    200_000 + 400 * 500,
  ],
  [
    'OpenRouter, its own charge',
    'openrouter',
    'openai/gpt-5-mini',
    { ...chat(1_200, 300), cost: 0.000_712_345, is_byok: false, cost_details: { upstream_inference_cost: null } },
    712_345,
  ],
  [
    'OpenRouter with a key of our own',
    'openrouter',
    'openai/gpt-5-mini',
    { ...chat(1_200, 300), cost: 0.000_045, is_byok: true, cost_details: { upstream_inference_cost: 0.0009 } },
    945_000,
  ],
  ["LiteLLM's own sum is no bill", 'openai', 'gpt-5-mini', { ...chat(1_200, 300), cost: 0.5 }, 900_000],
  ['DeepSeek', 'deepseek', 'deepseek-v4-flash', { ...chat(1_000, 0), prompt_cache_hit_tokens: 1_000, prompt_cache_miss_tokens: 0 }, expect.any(Number)],
  ['vLLM, no details', 'openai', 'gpt-5-mini', { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100, prompt_tokens_details: null }, 450_000],
  ['Ollama, no total', 'openai', 'gpt-5-mini', { prompt_tokens: 1_000, completion_tokens: 100 }, 450_000],
  [
    'Groq, with its times',
    'groq',
    'llama-3.3-70b-versatile',
    { queue_time: 0.03, prompt_tokens: 1_000, prompt_time: 0.001, completion_tokens: 100, completion_time: 0.2, total_tokens: 1_100, total_time: 0.2 },
    590_000 + 79_000,
  ],
  ['embeddings', 'openai', 'text-embedding-3-small', { prompt_tokens: 1_001, total_tokens: 1_001 }, 20_020],
  [
    'audio',
    'openai',
    'gpt-realtime',
    {
      total_tokens: 300,
      input_tokens: 200,
      output_tokens: 100,
      input_token_details: { text_tokens: 50, audio_tokens: 150, cached_tokens: 0 },
      output_token_details: { text_tokens: 20, audio_tokens: 80 },
    },
    50 * 4_000 + 150 * 32_000 + 20 * 16_000 + 80 * 64_000,
  ],
  [
    'images',
    'openai',
    'gpt-image-1',
    { input_tokens: 100, output_tokens: 0, total_tokens: 100, input_tokens_details: { text_tokens: 40, image_tokens: 60 } },
    40 * 5_000 + 60 * 10_000,
  ],
  ['our own counts', 'openai', 'gpt-5-mini', { inputTokens: 1_000, outputTokens: 100, cachedInputTokens: 1_000 }, 225_000],
] as const)('%s is priced as the provider bills it', (_, provider, model, usage, expected) => {
  expect(nano({ provider, model, usage: usage as JsonObject })).toEqual(expected);
});

test.each([
  ['no usage', 'gpt-5-mini', null],
  ['more cached than input', 'gpt-5-mini', chat(10, 1, { prompt_tokens_details: { cached_tokens: 11 } })],
  ['a negative count', 'gpt-5-mini', chat(-10, 1)],
  ['half a token', 'gpt-5-mini', { prompt_tokens: 1.5, completion_tokens: 1 }],
  ['no output', 'gpt-5-mini', { prompt_tokens: 10 }],
  ['more than any call has', 'gpt-5-mini', chat(9_000_000_000_000, 1)],
  ['audio where no price of audio is known', 'gpt-4o-audio-preview', chat(100, 10, { prompt_tokens_details: { audio_tokens: 50 } })],
  ['a charge by the call', 'gpt-5-mini', { ...chat(100, 10), server_tool_use: { web_search_requests: 2 } }],
  ['fast mode', 'gpt-5-mini', { ...chat(100, 10), speed: 'fast' }],
  ["Bedrock's names, whose cached tokens would be lost", 'gpt-5-mini', { inputTokens: 10, outputTokens: 1, cacheReadInputTokens: 1_000 }],
] as const)('usage with %s is refused with a reason', (_, model, usage) => {
  expect(priced({ model, usage: usage as JsonObject | null })).toEqual({ id: 1, nanoUsd: null, reason: expect.stringMatching(/\w{3}/) });
});

test('a line that names no provider is priced as its maker lists it; a provider is known by the names of other lists too', () => {
  const named = (line: JsonObject) => priced({ usage: chat(1_000, 100), ...line }, true);
  expect(named({ model: 'claude-haiku-4-5' })).toMatchObject({ nanoUsd: 1_500_000, provider: 'anthropic' });
  expect(named({ model: 'gemini-2.5-flash' })).toMatchObject({ nanoUsd: 550_000, provider: 'google' });
  expect(named({ model: 'gpt-5-mini' })).toMatchObject({ nanoUsd: 450_000, provider: 'openai' });
  expect(named({ model: 'claude-haiku-4-5', provider: 'openai' })).toMatchObject({ nanoUsd: null });
  expect(named({ model: 'grok-4-fast', provider: 'xai' })).toMatchObject({ nanoUsd: 250_000 });
});

test('what OpenRouter says that it took needs no list', () => {
  const usage = { ...chat(10, 1), cost: 0.0021, is_byok: false };
  expect(priced({ provider: 'openrouter', model: 'nobody/knows-it', usage }, true)).toMatchObject({ nanoUsd: 2_100_000, isReported: true });
  expect(nano({ provider: 'litellm', model: 'nobody/knows-it', usage })).toBeNull();
});

test('a model that nobody knows is refused with the way out', () => {
  expect(priced({ model: 'house-model', usage: chat(1, 1) })).toMatchObject({ nanoUsd: null, reason: expect.stringContaining('tollgate price import') });
});

test.each(['gpt-5.4', 'gpt-5.5', 'gpt-5.6-sol'])('%s charges its long context above 272,000 tokens, all of the request, cached tokens counted', (model) => {
  const table = source.priceOf(model, 'openai', NOW_MS);
  if (!table) throw new Error('no price');
  const [input, long] = [table.input.picoUsdPerToken, table.input.tiers?.[0]?.picoUsdPerToken ?? 0];
  expect(long).toBe(2 * input);
  expect(nano({ model, usage: chat(272_000, 0) })).toBe((272_000 * input) / 1_000);
  expect(nano({ model, usage: chat(272_001, 0) })).toBe((272_001 * long) / 1_000);
  const cached = chat(272_001, 0, { prompt_tokens_details: { cached_tokens: 272_001 } });
  expect(nano({ model, usage: cached })).toBe((272_001 * (table.cachedInput?.tiers?.[0]?.picoUsdPerToken ?? 0)) / 1_000);
});

test.each([
  ['claude-sonnet-4-5', 'anthropic', 200_000],
  ['gemini-2.5-pro', 'google', 200_000],
])('%s charges its long context above %s tokens', (model, provider, edge) => {
  const [below, above] = [edge, edge + 1].map((tokens) => nano({ provider, model, usage: chat(tokens, 0) }) ?? Number.NaN);
  expect((above ?? 0) / (below ?? 1)).toBeCloseTo(2, 3);
});

test.each([
  ['openai', 'gpt-5-mini', { flex: 450_000, batch: 450_000, priority: 1_620_000, default: 900_000 }],
  ['openai', 'gpt-5-mini-2025-08-07', { flex: 450_000, priority: 1_620_000 }],
  ['openai', 'gpt-4o-mini', { priority: 600_000, batch: 180_000, default: 360_000 }],
  ['openai', 'o4-mini', { flex: 1_320_000, priority: 4_800_000, default: 2_640_000 }],
  ['anthropic', 'claude-haiku-4-5', { batch: 1_350_000, standard: 2_700_000 }],
  ['groq', 'llama-3.3-70b-versatile', { flex: 945_000, on_demand: 945_000 }],
])('%s %s is charged by the tier that the response reports', (provider, model, costs) => {
  const usage = chat(1_200, 300);
  expect(Object.fromEntries(Object.keys(costs).map((serviceTier) => [serviceTier, nano({ provider, model, usage, serviceTier })]))).toEqual(costs);
});

test('cached tokens of a tier follow its own list, rounded up where the list rounds up', () => {
  const cached = chat(1_000_000, 0, { prompt_tokens_details: { cached_tokens: 1_000_000 } });
  expect(nano({ model: 'gpt-5.2', usage: cached, serviceTier: 'flex' })).toBe(87_500_000);
  const long = source.priceOf('gpt-5.4', 'openai', NOW_MS)?.serviceTiers?.flex?.cachedInput;
  expect(long).toEqual({ picoUsdPerToken: 130_000, tiers: [{ aboveInputTokens: 272_000, picoUsdPerToken: 250_000 }] });
});

test.each([
  ['openai', 'gpt-5-nano', 'priority'],
  ['openai', 'gpt-5-mini', 'scale'],
  ['openai', 'gpt-5-mini', 'ultrafast'],
  ['anthropic', 'claude-haiku-4-5', 'priority'],
])('%s %s in the tier %s has no published price, and is refused', (provider, model, serviceTier) => {
  expect(priced({ provider, model, usage: chat(10, 1), serviceTier })).toMatchObject({ nanoUsd: null, reason: expect.stringContaining(serviceTier) });
});

test('the tier is read from the usage too, where Anthropic reports it', () => {
  const usage = { input_tokens: 1_200, output_tokens: 300, cache_read_input_tokens: 0, service_tier: 'batch' };
  expect(nano({ provider: 'anthropic', model: 'claude-haiku-4-5', usage })).toBe(1_350_000);
});

test('a past call keeps the price of its time', () => {
  const usage = chat(1_000_000, 0);
  const costs = ['2025-06-09', '2025-06-10', '2026-11-25'].map((at) => nano({ model: 'o3', usage, at }));
  expect(costs).toEqual([10_000_000_000, 2_000_000_000, 2_000_000_000]);
  expect(priced({ model: 'o3', usage, at: '2026-01-01' }, true)).toMatchObject({ effectiveAt: '2025-06-10', at: '2026-01-01T00:00:00.000Z' });
  expect(priceLine({ id: 1, model: 'o3', usage }, source, { nowMs: NOW_MS, at: '2025-01-01' }).nanoUsd).toBe(10_000_000_000);
  for (const at of ['soon', 1e99]) expect(priced({ model: 'o3', usage, at })).toMatchObject({ nanoUsd: null });
});

test('a price that changes by the hour is pinned at the dearest of the day, and told exactly for a moment', () => {
  const at = (time: string) => source.priceOf('deepseek-v4-flash', 'deepseek', Date.parse(`2026-11-25T${time}:00Z`));
  const hours = Array.from({ length: 24 }, (_, hour) => at(String(hour).padStart(2, '0').concat(':30'))?.input.picoUsdPerToken ?? 0);
  expect(new Set(hours).size).toBeGreaterThan(1);
  const pinned = source.priceOf('deepseek-v4-flash', 'deepseek', NOW_MS, 'day');
  expect(pinned?.input.picoUsdPerToken).toBe(Math.max(...hours));
  expect(pinned?.source).toContain('dearest');
});

test('an endpoint of a region costs a tenth more, for the models that its list names', () => {
  const there = (model: string, baseUrl?: string) => {
    const table = source.priceOf(model, 'openai', NOW_MS);
    return table && priceAtEndpoint(table, baseUrl);
  };
  const regional = there('gpt-5.4', 'https://eu.api.openai.com/v1');
  expect(regional?.input).toEqual({ picoUsdPerToken: 2_750_000, tiers: [{ aboveInputTokens: 272_000, picoUsdPerToken: 5_500_000 }] });
  expect(regional?.serviceTiers?.flex?.input.picoUsdPerToken).toBe(1_375_000);
  expect(regional?.source).toContain('eu.api.openai.com');
  for (const [model, url] of [
    ['gpt-5.4', 'https://api.openai.com/v1'],
    ['gpt-5.4', undefined],
    ['gpt-5-mini', 'https://eu.api.openai.com/v1'],
    ['gpt-5.4', 'https://eu.api.example.com'],
  ] as const)
    expect(there(model, url)).toEqual(source.priceOf(model, 'openai', NOW_MS));
});

test('how a cost comes about: every kind with its rate, where the price comes from, the sum before rounding', () => {
  const usage = chat(1_201, 300, { prompt_tokens_details: { cached_tokens: 1_001 } });
  expect(priced({ model: 'gpt-5-mini', usage, serviceTier: 'flex' }, true)).toEqual({
    id: 1,
    nanoUsd: 337_513,
    model: 'gpt-5-mini',
    provider: 'openai',
    source: 'genai-prices 0.1.8 of 2026-09-23 (openai/gpt-5-mini)',
    effectiveAt: null,
    at: '2026-11-25T12:00:00.000Z',
    serviceTier: 'flex',
    aboveInputTokens: null,
    parts: [
      { kind: 'input', tokens: 200, usdPerMillion: 0.125 },
      { kind: 'cachedInput', tokens: 1_001, usdPerMillion: 0.0125 },
      { kind: 'output', tokens: 300, usdPerMillion: 1 },
    ],
    exactUsd: '0.0003375125',
    isReported: false,
  });
});

test('no call of a listed model costs more than its bound, in any tier that can be stated', () => {
  const models = ['gpt-5.4', 'gpt-5.6-sol', 'gpt-5-mini', 'gpt-4.1', 'o3'];
  for (const model of models) {
    const table = source.priceOf(model, 'openai', NOW_MS);
    if (!table) throw new Error(`no price for ${model}`);
    for (const serviceTier of ['default', ...Object.keys(table.serviceTiers ?? {})])
      for (const input of [1_000, 272_000, 272_001, 900_000])
        for (const cached of [0, input]) {
          const cost = nano({
            model,
            usage: chat(input, 1_000, {
              prompt_tokens_details: { cached_tokens: cached, ...(table.cacheWrite ? { cache_write_tokens: input - cached } : {}) },
            }),
            serviceTier,
          });
          expect(cost).toBeLessThanOrEqual(upperBoundOf(table, input, 1_000, serviceTier));
        }
  }
});

test('whatever a line says, there is one answer with its id, a whole number or a reason, and never a throw', () => {
  const count = fc.oneof(fc.nat(5_000), fc.integer(), fc.double(), fc.constant(null), fc.string());
  const names = [
    'prompt_tokens',
    'completion_tokens',
    'total_tokens',
    'input_tokens',
    'output_tokens',
    'cache_read_input_tokens',
    'cache_creation_input_tokens',
    'cost',
    'is_byok',
  ];
  const details = fc.dictionary(fc.constantFrom('cached_tokens', 'audio_tokens', 'reasoning_tokens', 'cache_write_tokens', 'image_tokens'), count);
  const usage = fc.oneof(
    fc.jsonValue(),
    fc
      .tuple(fc.dictionary(fc.constantFrom(...names), count), details, details)
      .map(([counts, input, output]) => ({ ...counts, prompt_tokens_details: input, completion_tokens_details: output })),
  );
  const line = fc.record({
    id: fc.nat(),
    model: fc.constantFrom('gpt-5-mini', 'gpt-5.4', 'o3', '__proto__', 'openai/gpt-5-mini', 'nobody'),
    provider: fc.constantFrom('openai', 'openrouter', 'anthropic', 'constructor', ''),
    usage,
    serviceTier: fc.constantFrom(null, 'flex', 'priority', 'batch', '__proto__', 'toString'),
    at: fc.oneof(fc.double(), fc.constantFrom('2020-01-01', '9999-12-31', 'x', '')),
  });
  holdsFor(line, (each) => {
    const answered = priceLine(each, source, { nowMs: NOW_MS, explain: true });
    expect(answered.id).toBe(each.id);
    if (answered.nanoUsd === null) expect(answered.reason.length).toBeGreaterThan(5);
    else expect(Number.isSafeInteger(answered.nanoUsd) && answered.nanoUsd >= 0).toBe(true);
  });
});
