import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createPriceSource } from '../../adapters/prices/genai-prices.ts';
import { importPriceFile } from '../../adapters/prices/import-prices.ts';
import { importLiteLlmMap } from '../../adapters/prices/litellm-map.ts';
import { openPriceFile, type PriceFile, readPriceFile } from '../../adapters/prices/override-file.ts';
import { loadProject } from '../../adapters/tasks/project.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import { costOf } from '../../domain/budget/cost.ts';

const folder = mkdtempSync(join(tmpdir(), 'tollgate-prices-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const NOW_MS = Date.parse('2026-11-25T12:00:00Z');
const usage = (inputTokens: number, outputTokens: number, change: Partial<TokenUsage> = {}): TokenUsage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  ...change,
});

const MAP = {
  sample_spec: { input_cost_per_token: 0, litellm_provider: 'one of' },
  'house-model': {
    litellm_provider: 'openai',
    mode: 'chat',
    input_cost_per_token: 2.5e-6,
    input_cost_per_token_above_272k_tokens: 5e-6,
    input_cost_per_token_flex: 1.25e-6,
    input_cost_per_token_priority: 5e-6,
    cache_read_input_token_cost: 2.5e-7,
    cache_read_input_token_cost_above_272k_tokens: 5e-7,
    cache_creation_input_token_cost: 3.125e-6,
    cache_creation_input_token_cost_above_1hr: 5e-6,
    output_cost_per_token: 1.5e-5,
    output_cost_per_token_above_272k_tokens: 2.25e-5,
    output_cost_per_token_flex: 7.5e-6,
    output_cost_per_token_priority: 3e-5,
    input_cost_per_token_batches: 1.25e-6,
    output_cost_per_token_batches: 7.5e-6,
    max_input_tokens: 1_050_000,
    search_context_cost_per_query: { search_context_size_low: 0.01 },
  },
  'azure/house-model': { litellm_provider: 'azure', mode: 'chat', input_cost_per_token: 3e-6, output_cost_per_token: '1.6e-05' },
  'gemini/gemini-house': { litellm_provider: 'gemini', mode: 'chat', input_cost_per_token: 1.04166666e-7, output_cost_per_token: 0 },
  'house-embedding': { litellm_provider: 'voyage', mode: 'embedding', input_cost_per_token: 2e-8 },
  'by-the-image': { mode: 'image_generation', input_cost_per_image: 0.04 },
  'by-the-call': { mode: 'chat', input_cost_per_token: 1e-6, output_cost_per_token: 1e-6, input_cost_per_request: 0.005 },
  'no-output': { mode: 'chat', input_cost_per_token: 1e-6 },
  negative: { mode: 'chat', input_cost_per_token: -1e-6, output_cost_per_token: 1e-6 },
  nonsense: { mode: 'chat', input_cost_per_token: 'cheap', output_cost_per_token: 1e-6 },
  'a-text': 'free',
};

test('every entry of the map becomes a price or is refused with its reason', () => {
  const { models, refused } = importLiteLlmMap(MAP, { date: '2026-11-23' });
  expect(models.map(({ model }) => model)).toEqual(['house-model', 'azure/house-model', 'gemini/gemini-house', 'house-embedding']);
  expect(Object.fromEntries(refused.map(({ model, reason }) => [model, reason]))).toEqual({
    sample_spec: 'the description of the format, no model',
    'by-the-image': 'it has no price per input token (mode image_generation)',
    'by-the-call': 'input_cost_per_request is a charge that a count of tokens does not show',
    'no-output': 'it has no price per output token (mode chat)',
    negative: 'input_cost_per_token is no price: -0.000001',
    nonsense: 'input_cost_per_token is no price: "cheap"',
    'a-text': 'the entry is no object',
  });
  for (const nonsense of [null, [], 'x', 7]) expect(importLiteLlmMap(nonsense, { date: '2026-11-23' }).models).toEqual([]);
});

function imported(name = 'house.json', change: { readonly models?: readonly string[] } = {}): string {
  const [file, out] = [join(folder, 'map.json'), join(folder, name)];
  writeFileSync(file, JSON.stringify(MAP));
  importPriceFile({ file, out, source: 'LiteLLM 1.108.7', date: '2026-11-23', nowMs: NOW_MS, ...change });
  return out;
}

test('an imported price is exact: long contexts, service tiers, writes, fractions of a pico-USD', () => {
  const source = createPriceSource({ file: imported() });
  const table = source.priceOf('house-model', 'openai', NOW_MS);
  if (!table) throw new Error('no price');
  expect(table).toMatchObject({ source: 'LiteLLM 1.108.7, 2026-11-23 (house-model)', effectiveAt: '2026-11-23' });
  expect(costOf(table, usage(272_000, 100))).toBe(680_000_000 + 1_500_000);
  expect(costOf(table, usage(272_001, 100))).toBe(1_360_005_000 + 2_250_000);
  expect(costOf(table, usage(1_000, 100), 'flex')).toBe(1_250_000 + 750_000);
  expect(costOf(table, usage(1_000, 100), 'batch')).toBe(1_250_000 + 750_000);
  expect(costOf(table, usage(300, 0, { cacheWriteTokens: 300, cacheWriteOneHourTokens: 100 }))).toBe(625_000 + 500_000);
  const fraction = source.priceOf('gemini-house', 'google', NOW_MS);
  expect(fraction?.input.picoUsdPerToken).toBe(104_166.666);
  expect(fraction && costOf(fraction, usage(1_000_000, 0))).toBe(104_166_666);
});

test('what a tier does not name is never below what may be charged', () => {
  const table = createPriceSource({ file: imported() }).priceOf('house-model', 'openai', NOW_MS);
  if (!table) throw new Error('no price');
  // Priority names no cached rate: it is as much dearer as its input is. Flex names none: the standard rate holds.
  expect(table.serviceTiers?.priority?.cachedInput?.picoUsdPerToken).toBe(500_000);
  expect(table.serviceTiers?.flex?.cachedInput?.picoUsdPerToken).toBe(250_000);
  // The long context names no cache writes.
  expect(table.cacheWrite?.tiers).toEqual([{ aboveInputTokens: 272_000, picoUsdPerToken: 6_250_000 }]);
  // Flex says nothing of long contexts.
  const [standard, flex] = [undefined, 'flex'].map((tier) => costOf(table, usage(300_000, 0), tier) ?? 0);
  expect(flex).toBe(standard);
});

test('a model is found under its provider first, then under its own name; a provider that the map knows gets no other one’s price', () => {
  const book = readPriceFile(imported());
  const input = (model: string, provider: string) => book.priceOf(model, provider, NOW_MS)?.input.picoUsdPerToken;
  expect(input('house-model', 'azure')).toBe(3_000_000);
  expect(input('house-model', 'openai')).toBe(2_500_000);
  expect(input('house-model', 'litellm')).toBe(2_500_000);
  expect(input('house-model', 'voyageai')).toBeUndefined();
  expect(input('azure/house-model', 'azure')).toBe(3_000_000);
});

test('the newest price that holds at the time counts, and before the first the built-in list does', () => {
  const entry = (effectiveAt: string, input: number) => ({ model: 'gpt-5-mini', provider: 'openai', effectiveAt, usdPerMillion: { input, output: 1 } });
  const file: PriceFile = {
    version: 1,
    source: 'contract',
    date: '2026-11-01',
    models: [entry('2026-03-01', 9), entry('2026-06-01', 5), entry('2027-01-01', 1)],
  };
  const path = join(folder, 'dated.json');
  writeFileSync(path, JSON.stringify(file));
  const source = createPriceSource({ file: path });
  const input = (at: string) => source.priceOf('gpt-5-mini', 'openai', Date.parse(at))?.input.picoUsdPerToken;
  expect(['2026-02-28', '2026-03-01', '2026-05-31T23:59:59Z', '2026-06-01', '2026-12-31', '2027-01-01'].map(input)).toEqual([
    250_000, 9_000_000, 9_000_000, 5_000_000, 5_000_000, 1_000_000,
  ]);
  expect(openPriceFile(file).priceOf('gpt-5', 'openai', NOW_MS)).toBeNull();
});

test('only what is asked for is imported, and what the map lacks is said', () => {
  const [file, out] = [join(folder, 'map.json'), join(folder, 'none.json')];
  writeFileSync(file, JSON.stringify(MAP));
  expect(importPriceFile({ file, out, models: ['house-modell'], nowMs: NOW_MS })).toEqual({
    imported: 0,
    refused: [{ model: 'house-modell', reason: 'the map has no such entry' }],
    out: null,
  });
  expect(existsSync(out)).toBe(false);
  const one = JSON.parse(readFileSync(imported('one.json', { models: ['azure/house-model'] }), 'utf8')) as PriceFile;
  expect(one.models.map(({ model }) => model)).toEqual(['azure/house-model']);
});

test.each([
  ['{', "can't be read"],
  [JSON.stringify({ version: 1, source: 's', date: '2026-11-01', models: [{ model: 'm', usdPerMillion: { input: -1, output: 1 } }] }), 'has mistakes'],
  [
    JSON.stringify({ version: 1, source: 's', date: '2026-11-01', models: [{ model: 'm', usdPerMillion: { input: 1, output: 1, cachedInputs: 1 } }] }),
    'has mistakes',
  ],
  [JSON.stringify({ version: 2 }), 'has mistakes'],
])('a price file with mistakes is refused where the project is loaded: %s', async (text, message) => {
  writeFileSync(join(folder, 'broken.json'), text);
  const config = join(folder, `broken-${Math.abs(text.length)}.config.ts`);
  writeFileSync(config, "export default { tasks: [], prices: './broken.json' };\n");
  await expect(loadProject(config, folder)).rejects.toThrow(message);
});

test('a project names its price file relative to its configuration', async () => {
  imported('project.json');
  const config = join(folder, 'good.config.ts');
  writeFileSync(config, "export default { tasks: [], prices: './project.json' };\n");
  const { spec } = await loadProject(config, folder);
  expect(createPriceSource({ file: spec.prices }).priceOf('house-model', 'openai', NOW_MS)?.source).toContain('LiteLLM 1.108.7');
});
