import { expect, test } from 'vitest';
import type { AttemptRecord } from '../../domain/store/port.ts';
import { factorLearnt, raisedBound } from '../../domain/budget/bound-factor.ts';
import { decideHeld, isInFlight, nextLookMs } from '../../domain/budget/held.ts';
import fc from 'fast-check';
import { holdsFor } from '../support/property.ts';
import { usd } from '../support/store-contract/fixtures.ts';

const PRICE = { model: 'm', source: 'test', input: { picoUsdPerToken: 1_000 }, output: { picoUsdPerToken: 2_000 } };
const USAGE = { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 0 };
const ATTEMPT = { dispatchDeadlineMs: 1_000 };

test('a complete record settles at its cost, whenever it turns up', () => {
  for (const nowMs of [0, 999, 1_000_000])
    expect(decideHeld(ATTEMPT, PRICE, { type: 'found', usage: USAGE, serviceTier: null, record: 'r' }, nowMs)).toMatchObject({
      type: 'move',
      event: { type: 'settle', costNanoUsd: 20 },
      usage: USAGE,
    });
});

test('a record that cannot be priced keeps the money held', () => {
  expect(decideHeld(ATTEMPT, PRICE, { type: 'found', usage: USAGE, serviceTier: 'priority', record: 'r' }, 0)).toMatchObject({ type: 'keep' });
  expect(decideHeld(ATTEMPT, PRICE, { type: 'found', usage: { ...USAGE, cachedInputTokens: 11 }, serviceTier: null, record: 'r' }, 0)).toMatchObject({
    type: 'keep',
  });
});

test('"never seen" releases only after no sender may send any more', () => {
  const answer = { type: 'neverSeen', record: 'never seen' } as const;
  for (const nowMs of [0, 1_000, 6_000])
    expect(decideHeld(ATTEMPT, PRICE, answer, nowMs)).toMatchObject({ type: 'keep', because: expect.stringContaining('may still send') });
  expect(decideHeld(ATTEMPT, PRICE, answer, 6_001)).toMatchObject({ type: 'move', event: { type: 'release' } });
});

test('what nobody can tell keeps the money held', () => {
  expect(decideHeld(ATTEMPT, PRICE, { type: 'unknown', reason: 'still running' }, 1e9)).toEqual({ type: 'keep', because: 'still running' });
});

test('an attempt without outcome is in flight as long as its sender may live; one with an outcome never is', () => {
  const of = (outcome: AttemptRecord['outcome'], runEndedAtMs: number | null) => ({ attempt: { outcome, reservedAtMs: 1_000 } as AttemptRecord, runEndedAtMs });
  expect(isInFlight(of({ type: 'reply' }, null), 120_000, 1_001)).toBe(false);
  expect([180_999, 181_000].map((nowMs) => isInFlight(of(null, null), 120_000, nowMs))).toEqual([true, false]);
  // A run that was terminated: its worker hears of it soon.
  expect([31_999, 32_000].map((nowMs) => isInFlight(of(null, 2_000), 120_000, nowMs))).toEqual([true, false]);
});

test('asking again takes longer each time, up to a day', () => {
  expect([1, 2, 3, 11, 12, 1_000].map((looks) => nextLookMs(looks, 0))).toEqual([60_000, 120_000, 240_000, 61_440_000, 86_400_000, 86_400_000]);
});

test('the factor that an overrun teaches would have covered it, and a raised bound is never below the plain one', () => {
  const amount = fc.integer({ min: 1, max: 1_000_000_000 });
  holdsFor(fc.record({ plain: amount, perMille: fc.integer({ min: 1_000, max: 50_000 }), settled: amount }), ({ plain, perMille, settled }) => {
    const reserved = raisedBound(usd(plain), perMille);
    expect(reserved).toBeGreaterThanOrEqual(plain);
    const learnt = factorLearnt(perMille, reserved, settled);
    expect(learnt === null).toBe(settled <= reserved);
    if (learnt !== null && learnt < 1_000_000) {
      expect(learnt).toBeGreaterThan(perMille);
      expect(raisedBound(usd(plain), learnt)).toBeGreaterThanOrEqual(settled);
    }
  });
});

test('a report that is no count of tokens raises a bound to a thousandfold at most, and no bound leaves the safe integers', () => {
  expect(factorLearnt(1_000, 1, Number.MAX_SAFE_INTEGER)).toBe(1_000_000);
  expect(raisedBound(usd(Number.MAX_SAFE_INTEGER), 1_000_000)).toBe(Number.MAX_SAFE_INTEGER);
  expect(factorLearnt(1_000, 0, 5)).toBeNull();
});
