import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PriceTable } from '../../contracts/budget.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import { costOf } from '../../domain/budget/cost.ts';
import { formatUsd, inputTokensUpperBound, parseUsd, upperBoundOf } from '../../domain/budget/price.ts';
import { holdsFor } from '../support/property.ts';

const flat = (input: number, output: number, change: Partial<PriceTable> = {}): PriceTable => ({
  model: 'm',
  source: 'test',
  input: { picoUsdPerToken: input },
  output: { picoUsdPerToken: output },
  ...change,
});
const usage = (inputTokens: number, outputTokens: number, change: Partial<TokenUsage> = {}): TokenUsage => ({
  inputTokens,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens,
  reasoningTokens: 0,
  ...change,
});

const pico = fc.nat({ max: 200_000_000 });
/** Also tiers that are cheaper than the base, in no order: nobody promises that a list is sensible. */
const rate = fc.record({
  picoUsdPerToken: pico,
  tiers: fc.array(fc.record({ aboveInputTokens: fc.nat({ max: 300_000 }), picoUsdPerToken: pico }), { maxLength: 3 }),
});
const price = fc.record(
  {
    model: fc.constant('m'),
    source: fc.constant('test'),
    input: rate,
    cachedInput: rate,
    cacheWrite: rate,
    cacheWriteOneHour: rate,
    output: rate,
    reasoning: rate,
  },
  { requiredKeys: ['model', 'source', 'input', 'output', 'cacheWrite', 'cacheWriteOneHour'] },
) as fc.Arbitrary<PriceTable>;
const some = fc.nat({ max: 200_000 });
const tokens = fc
  .record({ cached: some, written: some, oneHour: some, plain: some, spoken: some, reasoning: some })
  .map(({ cached, written, oneHour, plain, spoken, reasoning }) =>
    usage(cached + written + oneHour + plain, spoken + reasoning, {
      cachedInputTokens: cached,
      cacheWriteTokens: written + oneHour,
      cacheWriteOneHourTokens: oneHour,
      reasoningTokens: reasoning,
    }),
  );
/** A cost that can be told. */
const cost = (table: PriceTable, used: TokenUsage, tier?: string): number => costOf(table, used, tier) ?? Number.NaN;

test('no usage within its bound costs more than the bound, whatever the price list', () => {
  const spare = fc.nat({ max: 1_000 });
  holdsFor(fc.record({ price, used: tokens, spareInput: spare, spareOutput: spare }), ({ price: table, used, spareInput, spareOutput }) =>
    expect(cost(table, used)).toBeLessThanOrEqual(upperBoundOf(table, used.inputTokens + spareInput, used.outputTokens + spareOutput)),
  );
});

test('the bound covers the service tier that the request states, and the standard one that may serve it all the same', () => {
  const tables = fc.record({ standard: price, flex: price });
  holdsFor(fc.record({ tables, used: tokens }), ({ tables: { standard, flex }, used }) => {
    const table = { ...standard, serviceTiers: { flex } };
    const bound = upperBoundOf(table, used.inputTokens, used.outputTokens, 'flex');
    for (const tier of ['flex', 'default']) expect(cost(table, used, tier)).toBeLessThanOrEqual(bound);
  });
});

test('a cost is a whole number of nano-USD, above the exact sum by less than one', () => {
  const plain = fc.record({ input: some, output: some }).map(({ input, output }) => usage(input, output));
  holdsFor(fc.record({ input: pico, output: pico, used: plain }), ({ input, output, used }) => {
    const nano = cost(flat(input, output), used);
    const excess = BigInt(nano) * 1_000n - (BigInt(used.inputTokens) * BigInt(input) + BigInt(used.outputTokens) * BigInt(output));
    expect(Number.isSafeInteger(nano)).toBe(true);
    expect(excess >= 0n && excess < 1_000n).toBe(true);
  });
});

test('a cost is rounded up once, not part by part', () => {
  const split = flat(1, 1, { cachedInput: { picoUsdPerToken: 1 }, cacheWrite: { picoUsdPerToken: 1 } });
  expect(costOf(split, usage(300, 100, { cachedInputTokens: 100, cacheWriteTokens: 100 }))).toBe(1);
  expect([0, 1, 1_000, 1_001].map((tokens) => costOf(split, usage(tokens, 0)))).toEqual([0, 1, 1, 2]);
});

test('cached and written tokens are part of the input, each at its own rate', () => {
  const table = flat(2_000_000, 8_000_000, { cachedInput: { picoUsdPerToken: 500_000 }, cacheWrite: { picoUsdPerToken: 2_500_000 } });
  expect(costOf(table, usage(1_000, 100))).toBe(2_800_000);
  expect(costOf(table, usage(1_000, 100, { cachedInputTokens: 600 }))).toBe(1_900_000);
  expect(costOf(table, usage(1_000, 100, { cachedInputTokens: 600, cacheWriteTokens: 100 }))).toBe(1_950_000);
});

test('without a rate of their own, cached tokens cost what input costs and reasoning what output costs', () => {
  holdsFor(fc.record({ input: rate, output: rate, used: tokens }), ({ input, output, used }) => {
    const table = { ...flat(0, 0), input, output, cacheWrite: input, cacheWriteOneHour: input };
    expect(costOf(table, used)).toBe(costOf(table, usage(used.inputTokens, used.outputTokens)));
  });
});

test('reasoning is output already and is not charged twice', () => {
  expect(costOf(flat(1_000, 5_000), usage(10, 100, { reasoningTokens: 90 }))).toBe(510);
});

test('a long context reprices every token, from the first token above the tier, and the highest tier reached counts', () => {
  const tiers = [
    { aboveInputTokens: 200, picoUsdPerToken: 4_000 },
    { aboveInputTokens: 100, picoUsdPerToken: 2_000 },
  ];
  const table = flat(1_000, 0, { input: { picoUsdPerToken: 1_000, tiers } });
  expect([100, 101, 200, 201].map((tokens) => costOf(table, usage(tokens, 0)))).toEqual([100, 202, 400, 804]);
});

test('a cost beyond what can be added up without loss is refused, not rounded', () => {
  expect(() => costOf(flat(Number.MAX_SAFE_INTEGER, 0), usage(2_000, 0))).toThrow('safe integer');
});

test('a request has at most a token per byte and a little framing', () => {
  expect(inputTokensUpperBound(0)).toBeGreaterThan(0);
  holdsFor(fc.record({ shorter: fc.nat(), more: fc.nat() }), ({ shorter, more }) =>
    expect(inputTokensUpperBound(shorter + more) - inputTokensUpperBound(shorter)).toBe(more),
  );
});

test('an amount written as USD is read back exactly', () => {
  holdsFor(fc.maxSafeNat(), (amount) => expect(parseUsd(formatUsd(amount))).toBe(amount));
  expect([0, 1, 1_500_000_000, -12_300_000].map(formatUsd)).toEqual(['0.00', '0.000000001', '1.50', '-0.0123']);
});

test('what is no exact amount of USD is not read', () => {
  expect(['0.1', ' 0.25 ', '3'].map(parseUsd)).toEqual([100_000_000, 250_000_000, 3_000_000_000]);
  for (const text of ['', '-1', '+1', '1e3', '.5', '1.', '0x1', '1,5', 'NaN', '0.0000000001', '9999999']) expect(parseUsd(text), text).toBeNull();
});
