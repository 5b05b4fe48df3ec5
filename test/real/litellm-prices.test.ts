import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPriceSource } from '../../adapters/prices/genai-prices.ts';
import { importPriceFile } from '../../adapters/prices/import-prices.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import { costOf } from '../../domain/budget/cost.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import { findLiteLlm } from '../support/litellm.ts';
import { judge, type PriceEntry } from '../support/litellm-judge.ts';

const found = await findLiteLlm();
if ('missing' in found) process.stdout.write(`skipped: LiteLLM's prices as a second judge, because ${found.missing}\n`);
const isMissing = 'missing' in found;
const folder = mkdtempSync(join(tmpdir(), 'tollgate-litellm-prices-'));
const NOW_MS = Date.parse('2026-11-25T12:00:00Z');

let map: Readonly<Record<string, PriceEntry>> = {};
let theirs: PriceSource;
const ours = createPriceSource();

beforeAll(() => {
  if ('missing' in found) return;
  map = JSON.parse(readFileSync(found.priceMap, 'utf8')) as typeof map;
  const out = join(folder, 'prices.json');
  const { imported, refused } = importPriceFile({ file: found.priceMap, out, source: `LiteLLM ${found.version}`, date: '2026-11-23', nowMs: NOW_MS });
  expect(imported + refused.length).toBe(Object.keys(map).length);
  theirs = createPriceSource({ file: out });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const usage = (inputTokens: number, outputTokens: number, change: Partial<TokenUsage> = {}): TokenUsage => ({
  inputTokens,
  outputTokens,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  ...change,
});
const USAGES: Readonly<Record<string, TokenUsage>> = {
  plain: usage(12_345, 678),
  cached: usage(12_345, 678, { cachedInputTokens: 10_240 }),
  reasoning: usage(1_000, 3_000, { reasoningTokens: 2_500 }),
  'at 200,000': usage(200_000, 1_000),
  'above 200,000': usage(200_001, 1_000),
  'at 272,000': usage(272_000, 1_000),
  'above 272,000': usage(272_001, 1_000, { cachedInputTokens: 100_000 }),
};
const WRITES: Readonly<Record<string, TokenUsage>> = {
  written: usage(12_345, 678, { cachedInputTokens: 2_048, cacheWriteTokens: 4_096 }),
  'written for an hour': usage(12_345, 678, { cacheWriteTokens: 4_096, cacheWriteOneHourTokens: 4_096 }),
};

const PROVIDERS: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  gemini: 'google',
  groq: 'groq',
  deepseek: 'deepseek',
  xai: 'x-ai',
  mistral: 'mistral',
};

/** Chat models of providers that both name, by the name that goes on the wire. */
function common(): { readonly key: string; readonly entry: PriceEntry; readonly provider: string; readonly model: string }[] {
  return Object.entries(map).flatMap(([key, entry]) => {
    const provider = PROVIDERS[String(entry.litellm_provider)];
    if (provider === undefined || key.startsWith('ft:') || !['chat', 'responses'].includes(String(entry.mode)) || entry.input_cost_per_token === undefined)
      return [];
    const model = key.slice(key.lastIndexOf('/') + 1);
    return ours.priceOf(model, provider, NOW_MS) ? [{ key, entry, provider, model }] : [];
  });
}

test.skipIf(isMissing)("an imported price costs what LiteLLM's own map says, for every entry and usage", () => {
  let compared = 0;
  const wrong: string[] = [];
  for (const [key, entry] of Object.entries(map)) {
    const table = theirs.priceOf(key, String(entry.litellm_provider), NOW_MS);
    if (!table || entry.output_cost_per_reasoning_token !== undefined) continue;
    for (const [name, used] of Object.entries({ ...USAGES, ...WRITES })) {
      const expected = judge(entry, used);
      const cost = costOf(table, used);
      // A long context that the map names for its input alone is scaled here and left as it is there.
      if (expected === null || cost === null) continue;
      compared += 1;
      if (cost < expected - 1 || (cost > expected + 1 && !/above/.test(name))) wrong.push(`${key} ${name}: ${cost} here, ${expected} there`);
    }
  }
  expect(wrong.slice(0, 20)).toEqual([]);
  expect(compared).toBeGreaterThan(10_000);
});

test.skipIf(isMissing)('our price list and LiteLLM’s agree to the nano-USD, but for the differences that docs/prices.md explains', () => {
  const models = common();
  const different = new Map<string, string>();
  let compared = 0;
  for (const { key, entry, provider, model } of models) {
    const table = ours.priceOf(model, provider, NOW_MS, 'day');
    if (!table) continue;
    for (const [name, used] of Object.entries(USAGES)) {
      const [cost, expected] = [costOf(table, used), judge(entry, used)];
      if (cost === null || expected === null) continue;
      compared += 1;
      if (Math.abs(cost - expected) > 1 && !different.has(key)) different.set(key, `${name}: ${cost} here, ${expected} there`);
    }
  }
  const explained = readFileSync('docs/prices.md', 'utf8');
  const open = [...different].filter(([key]) => !explained.includes(`\`${key}\``));
  process.stdout.write(`Compared ${compared} costs of ${models.length} models; ${different.size} models differ, ${open.length} without an explanation.\n`);
  expect(open).toEqual([]);
  expect(models.length).toBeGreaterThan(150);
});

test.skipIf(isMissing)("batch, flex and priority cost what LiteLLM's map says, wherever both name them", () => {
  let compared = 0;
  const wrong: string[] = [];
  for (const { key, entry, provider, model } of common()) {
    const table = ours.priceOf(model, provider, NOW_MS);
    for (const [tier, suffix] of [
      ['batch', '_batches'],
      ['flex', '_flex'],
      ['priority', '_priority'],
    ] as const)
      for (const [name, used] of Object.entries(USAGES)) {
        const expected = judge(entry, used, suffix);
        const cost = table ? costOf(table, used, tier) : null;
        // Where the lists differ in the standard price already, the tier differs with it.
        const isSame = table !== null && costOf(table, used) === judge(entry, used);
        if (expected === null || cost === null || !isSame) continue;
        compared += 1;
        // Google's page says nothing of some cached prices in its cheaper tiers; ours is then the whole one, never less.
        if (Math.abs(cost - expected) > 1 && !(provider === 'google' && used.cachedInputTokens > 0 && cost > expected))
          wrong.push(`${key} ${tier} ${name}: ${cost} here, ${expected} there`);
      }
  }
  process.stdout.write(`Compared ${compared} costs in service tiers.\n`);
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(200);
});
