import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PriceTable, TokenRate } from '../../contracts/budget.ts';
import type { ModelReply, TokenUsage } from '../../contracts/model.ts';
import { costOf, explainCost, MAX_TOKENS, usageOfReply } from '../../domain/budget/cost.ts';
import { exactRate, exactUsd, picoUsdPerToken, scaledRate } from '../../domain/budget/exact-rate.ts';
import { holdsFor } from '../support/property.ts';

const per = (usdPerMillion: number): TokenRate => ({ picoUsdPerToken: picoUsdPerToken(usdPerMillion) });
const table = (change: Partial<PriceTable> = {}): PriceTable => ({ model: 'm', source: 'test', input: per(1), output: per(10), ...change });
const usage = (inputTokens: number, outputTokens: number, change: Partial<TokenUsage> = {}): TokenUsage => ({
  inputTokens,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens,
  reasoningTokens: 0,
  ...change,
});

test('a decimal price becomes exactly its rate, a fraction of a pico-USD too', () => {
  holdsFor(fc.nat({ max: 1_000_000_000 }), (rate) => expect(picoUsdPerToken(Number(`${rate}e-6`))).toBe(rate));
  expect([4.03, 8.14, 0.000_000_1, 1.000_000_1].map(picoUsdPerToken)).toEqual([4_030_000, 8_140_000, 0.1, 1_000_000.1]);
});

test('a rate is read digit by digit: a million tokens cost a million times the decimal, whatever a float makes of it', () => {
  holdsFor(fc.record({ digits: fc.nat({ max: 999_999_999 }), places: fc.integer({ min: 0, max: 9 }) }), ({ digits, places }) => {
    expect(exactRate(Number(`${digits}e-${places}`))).toBe(BigInt(digits) * 10n ** BigInt(9 - places));
  });
  expect(0.1 + 0.2).not.toBe(0.3);
  expect(exactRate(0.1) + exactRate(0.2)).toBe(exactRate(0.3));
  expect(costOf(table({ input: { picoUsdPerToken: 0.1 } }), usage(10_000, 0))).toBe(1);
  expect(costOf(table({ input: { picoUsdPerToken: 0.1 } }), usage(10_001, 0))).toBe(2);
  for (const rate of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => exactRate(rate)).toThrow('pico-USD');
});

test('a rate times a factor is exact, or rounded up', () => {
  expect(scaledRate(per(0.15), [5, 3])).toEqual(per(0.25));
  expect(scaledRate({ picoUsdPerToken: 1, tiers: [{ aboveInputTokens: 9, picoUsdPerToken: 2 }] }, [1, 3])).toEqual({
    picoUsdPerToken: 0.333333334,
    tiers: [{ aboveInputTokens: 9, picoUsdPerToken: 0.666666667 }],
  });
  expect(exactUsd(exactRate(1_500_000))).toBe('0.0000015');
});

test('each kind of token is charged once, at its own rate', () => {
  const all = table({
    cachedInput: per(0.1),
    cacheWrite: per(1.25),
    cacheWriteOneHour: per(2),
    reasoning: per(20),
    audioInput: per(30),
    cachedAudioInput: per(3),
    audioOutput: per(60),
    imageInput: per(5),
    cachedImageInput: per(0.5),
    imageOutput: per(40),
  });
  const used = usage(1_000, 600, {
    cachedInputTokens: 300,
    cacheWriteTokens: 200,
    cacheWriteOneHourTokens: 50,
    audioInputTokens: 100,
    cachedAudioInputTokens: 40,
    imageInputTokens: 80,
    cachedImageInputTokens: 10,
    reasoningTokens: 100,
    audioOutputTokens: 50,
    imageOutputTokens: 30,
  });
  const cost = explainCost(all, used);
  if (cost.type !== 'priced') throw new Error(cost.reason);
  const tokens = Object.fromEntries(cost.parts.map((part) => [part.kind, part.tokens]));
  expect(tokens).toEqual({
    input: 370,
    cachedInput: 250,
    cacheWrite: 150,
    cacheWriteOneHour: 50,
    audioInput: 60,
    cachedAudioInput: 40,
    imageInput: 70,
    cachedImageInput: 10,
    output: 420,
    reasoning: 100,
    audioOutput: 50,
    imageOutput: 30,
  });
  // 370 + 25 + 187.5 + 100 + 1800 + 120 + 350 + 5 + 4200 + 2000 + 3000 + 1200 millionths of a USD.
  expect([cost.nanoUsd, cost.exactUsd]).toEqual([13_357_500, '0.0133575']);
});

test('the parts always add up to the input and the output, also where the cache and the media overlap in a way nobody states', () => {
  const all = table({ audioInput: per(30), imageInput: per(5), cacheWrite: per(2) });
  const shares = fc.record({ cached: fc.nat(100), written: fc.nat(100), audio: fc.nat(200), image: fc.nat(200), rest: fc.nat(100) });
  holdsFor(shares, ({ cached, written, audio, image, rest }) => {
    const inputTokens = Math.max(cached + written, audio + image) + rest;
    const cost = explainCost(
      all,
      usage(inputTokens, 0, { cachedInputTokens: cached, cacheWriteTokens: written, audioInputTokens: audio, imageInputTokens: image }),
    );
    if (cost.type !== 'priced') throw new Error(cost.reason);
    const counted = cost.parts.reduce((sum, { tokens }) => sum + tokens, 0);
    expect(counted).toBeGreaterThanOrEqual(inputTokens);
    for (const { tokens } of cost.parts) expect(tokens).toBeGreaterThan(0);
  });
});

test('a long context reprices the whole request, all kinds, from the first token above the edge', () => {
  const tier = (base: number, above: number): TokenRate => ({ ...per(base), tiers: [{ aboveInputTokens: 272_000, picoUsdPerToken: picoUsdPerToken(above) }] });
  const long = table({ input: tier(2.5, 5), cachedInput: tier(0.25, 0.5), output: tier(15, 22.5) });
  expect(costOf(long, usage(272_000, 1_000))).toBe(680_000_000 + 15_000_000);
  expect(costOf(long, usage(272_001, 1_000))).toBe(1_360_005_000 + 22_500_000);
  // Cached tokens count towards the edge.
  const cached = explainCost(long, usage(272_001, 0, { cachedInputTokens: 272_000 }));
  expect(cached).toMatchObject({ nanoUsd: 136_000_000 + 5_000, aboveInputTokens: 272_000 });
});

test('a call is charged by the service tier that the response reports', () => {
  const tiers = table({ serviceTiers: { flex: { input: per(0.5), output: per(5) }, priority: { input: per(2), output: per(20) } } });
  const used = usage(1_000, 100);
  expect([null, 'default', 'standard', 'auto', 'flex', 'FLEX', 'priority'].map((tier) => costOf(tiers, used, tier))).toEqual([
    2_000_000, 2_000_000, 2_000_000, 2_000_000, 1_000_000, 1_000_000, 4_000_000,
  ]);
  for (const unknown of ['scale', 'ultrafast', '__proto__', 'constructor']) expect(costOf(tiers, used, unknown), unknown).toBeNull();
});

test.each([
  ['cache writes', { cacheWriteTokens: 1 }],
  ['one-hour cache writes', { cacheWriteTokens: 1, cacheWriteOneHourTokens: 1 }],
  ['audio in the input', { audioInputTokens: 1 }],
  ['audio in the output', { audioOutputTokens: 1 }],
  ['images in the output', { imageOutputTokens: 1 }],
] as const)('%s without a rate can not be priced as text, which would be below the bill', (_, change) => {
  expect(explainCost(table(), usage(10, 10, change))).toMatchObject({ type: 'unpriced', reason: expect.stringContaining('no price is known for the 1 ') });
});

test.each([
  ['more cached than input', { inputTokens: 10, cachedInputTokens: 11 }],
  ['more cached and written than input', { inputTokens: 10, cachedInputTokens: 6, cacheWriteTokens: 5 }],
  ['more reasoning than output', { outputTokens: 10, reasoningTokens: 11 }],
  ['more audio than output', { outputTokens: 10, audioOutputTokens: 11 }],
  ['more audio and images than input', { inputTokens: 10, audioInputTokens: 6, imageInputTokens: 5 }],
  ['more cached audio than audio', { inputTokens: 10, cachedInputTokens: 3, audioInputTokens: 2, cachedAudioInputTokens: 3 }],
  ['more one-hour writes than writes', { inputTokens: 10, cacheWriteTokens: 1, cacheWriteOneHourTokens: 2 }],
  ['negative counts', { inputTokens: -1 }],
  ['fractions', { outputTokens: 1.5 }],
  ['no number', { inputTokens: Number.NaN }],
  ['more than any call can have', { outputTokens: MAX_TOKENS + 1 }],
] as const)('usage with %s is not priced', (_, change) => {
  const everything = table({ cacheWrite: per(1), cacheWriteOneHour: per(1), audioInput: per(1), audioOutput: per(1), imageInput: per(1) });
  expect(explainCost(everything, usage(100, 100, change))).toMatchObject({ type: 'unpriced' });
});

test('no usage whatever makes it throw, or cost less than its tokens at the lowest rate', () => {
  const any = fc.oneof(fc.integer(), fc.double(), fc.nat(1_000));
  const names = ['inputTokens', 'outputTokens', 'cachedInputTokens', 'cacheWriteTokens', 'reasoningTokens', 'audioInputTokens', 'audioOutputTokens'] as const;
  const lowest = table({ input: per(2), cachedInput: per(1), output: per(1), cacheWrite: per(1), audioInput: per(1), audioOutput: per(1) });
  holdsFor(fc.tuple(...names.map(() => any)), (counts) => {
    const used = usage(0, 0, Object.fromEntries(names.map((name, index) => [name, counts[index]])));
    const cost = costOf(lowest, used);
    if (cost !== null) expect(cost).toBeGreaterThanOrEqual((used.inputTokens + used.outputTokens) * 1_000);
  });
});

test("a provider's own statement of its charge counts only where the price says so, and never as nothing", () => {
  const stated = usage(1_000, 100, { reportedNanoUsd: 1_234_567 as NonNullable<TokenUsage['reportedNanoUsd']> });
  expect(costOf(table(), stated)).toBe(2_000_000);
  expect(explainCost(table({ isChargedAsReported: true }), stated)).toMatchObject({ nanoUsd: 1_234_567, exactUsd: '0.001234567', isReported: true });
  expect(costOf(table({ isChargedAsReported: true }), { ...stated, reportedNanoUsd: 0 as NonNullable<TokenUsage['reportedNanoUsd']> })).toBe(2_000_000);
});

test('a reply that says something and counts nothing has no usage', () => {
  const said: Pick<ModelReply, 'text' | 'refusal' | 'toolCalls'> = { text: 'Hello', refusal: null, toolCalls: [] };
  const silent = { text: null, refusal: null, toolCalls: [] };
  expect([usageOfReply(usage(0, 0), said), usageOfReply(usage(10, 0), said), usageOfReply(usage(0, 10), said), usageOfReply(null, said)]).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(usageOfReply(usage(10, 1), said)).toEqual(usage(10, 1));
  expect(usageOfReply(usage(10, 0), silent)).toEqual(usage(10, 0));
});
