import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NanoUsd } from '../../contracts/budget.ts';
import type { QuotaDenial, QuotaPeriod, QuotaRule } from '../../contracts/quota.ts';
import { emptyLedger } from '../../domain/budget/ledger.ts';
import { bindingQuotas, denialOf, describeQuota, waitForQuota, windowAt } from '../../domain/quota/quota.ts';
import { readQuota } from '../../domain/quota/quota-spec.ts';
import { holdsFor } from '../support/property.ts';

const rule = (change: Partial<QuotaRule> = {}): QuotaRule => ({ tenant: 'acme', feature: null, per: 'day', unit: 'nanoUsd', limit: 5_000_000_000, ...change });

describe('windows', () => {
  test('are UTC minutes, days and months', () => {
    const at = Date.UTC(2028, 1, 29, 23, 59, 59, 999);
    const span = (per: QuotaPeriod) => {
      const { startsAtMs, endsAtMs } = windowAt(per, at);
      return [new Date(startsAtMs).toISOString(), new Date(endsAtMs).toISOString()];
    };
    expect(span('minute')).toEqual(['2028-02-29T23:59:00.000Z', '2028-03-01T00:00:00.000Z']);
    expect(span('day')).toEqual(['2028-02-29T00:00:00.000Z', '2028-03-01T00:00:00.000Z']);
    expect(span('month')).toEqual(['2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z']);
  });

  test('hold every moment exactly once: each begins where the one before ends', () => {
    holdsFor(
      fc.record({ nowMs: fc.integer({ min: 0, max: 4_000_000_000_000 }), per: fc.constantFrom<QuotaPeriod>('minute', 'day', 'month') }),
      ({ nowMs, per }) => {
        const { startsAtMs, endsAtMs, keptUntilMs } = windowAt(per, nowMs);
        expect(startsAtMs <= nowMs && nowMs < endsAtMs && endsAtMs < keptUntilMs).toBe(true);
        expect(windowAt(per, endsAtMs).startsAtMs).toBe(endsAtMs);
        expect(windowAt(per, endsAtMs - 1).startsAtMs).toBe(startsAtMs);
      },
    );
  });
});

describe('which quotas bind', () => {
  test('those of the tenant, of the feature, of both, and of everybody together', () => {
    const own = rule();
    const [feature, both] = [rule({ tenant: null, feature: 'chat' }), rule({ feature: 'chat' })];
    const others = [rule({ tenant: 'globex' }), rule({ feature: 'mail' }), rule({ tenant: null, feature: 'mail' })];
    expect(bindingQuotas([own, feature, both, ...others], 'acme', 'chat')).toEqual([own, feature, both]);
  });

  test('one for each tenant gives way to the tenant’s own of the same kind only', () => {
    const each = rule({ tenant: '*' });
    const eachMinute = rule({ tenant: '*', per: 'minute' });
    const eachTokens = rule({ tenant: '*', unit: 'tokens' });
    const own = rule({ limit: 1 });
    expect(bindingQuotas([each, eachMinute, eachTokens, own], 'acme', 'chat')).toEqual([eachMinute, eachTokens, own]);
    expect(bindingQuotas([each, eachMinute, eachTokens, own], 'globex', 'chat')).toEqual([each, eachMinute, eachTokens]);
  });
});

describe('a denial', () => {
  const totals = (settled: number, held: number) => ({ ...emptyLedger(100 as NanoUsd), settledNanoUsd: settled as NanoUsd, heldNanoUsd: held as NanoUsd });
  const span = { endsAtMs: 60_000 };

  test('names the quota and when it frees; never, where the call alone is too large', () => {
    const denied = denialOf(rule({ limit: 100, unit: 'tokens' }), totals(90, 0), 11, span, 20_000);
    expect(denied).toEqual({ kind: 'tenant', name: 'tenant acme: 100 tokens a day', freesInMs: 40_000, freesAtMs: 60_000, isHeld: false });
    expect(denialOf(rule({ limit: 100 }), totals(0, 0), 101, span, 20_000)).toMatchObject({ freesInMs: null, freesAtMs: null });
    expect(describeQuota(rule({ tenant: '*', feature: 'chat' }))).toBe('each tenant, feature chat: 5.00 USD a day');
  });

  test('is looked at again soon where calls in flight hold what is missing, else when the window is over', () => {
    const held = denialOf(rule({ limit: 100 }), totals(10, 85), 20, span, 0);
    const settled = denialOf(rule({ limit: 100 }), totals(95, 0), 20, span, 0);
    expect(waitForQuota(held, 1, 300_000, 0)).toBe(750);
    expect(waitForQuota(held, 3, 300_000, 0)).toBe(3_000);
    expect(waitForQuota(settled, 1, 300_000, 0)).toBe(60_000);
    expect(waitForQuota(settled, 1, 59_999, 0)).toBeNull();
    expect(waitForQuota({ ...settled, freesInMs: null }, 1, 300_000, 0)).toBeNull();
  });

  test('is never waited for beyond what is left, and never again before the window is over where nothing else can free it', () => {
    const denials = fc.record({ freesInMs: fc.option(fc.nat({ max: 90_000_000 })), isHeld: fc.boolean() });
    holdsFor(
      fc.tuple(denials, fc.integer({ min: 1, max: 400 }), fc.nat({ max: 90_000_000 }), fc.double({ min: 0, max: 0.999, noNaN: true })),
      ([denial, tries, left, jitter]) => {
        const waitMs = waitForQuota({ kind: 'tenant', name: 'q', freesAtMs: 1, ...denial } as QuotaDenial, tries, left, jitter);
        if (waitMs === null) return;
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(left);
        if (!denial.isHeld) expect(waitMs).toBeGreaterThanOrEqual(denial.freesInMs ?? Number.POSITIVE_INFINITY);
      },
    );
  });
});

describe('a quota as people write it', () => {
  test('says whose it is, per what, and one limit', () => {
    expect(readQuota({ tenant: 'acme', per: 'day', usd: '0.25' })).toEqual({ type: 'quota', rule: rule({ limit: 250_000_000 }) });
    expect(readQuota({ feature: 'chat', per: 'minute', tokens: 7 })).toEqual({
      type: 'quota',
      rule: { tenant: null, feature: 'chat', per: 'minute', unit: 'tokens', limit: 7 },
    });
  });

  test.each([
    [{ per: 'day', usd: 1 }, /neither a tenant nor a feature/],
    [{ tenant: 'acme', per: 'week', usd: 1 }, /per: expected "minute", "day" or "month", saw "week"/],
    [{ tenant: 'acme', per: 'day' }, /exactly one of usd .* and tokens/],
    [{ tenant: 'acme', per: 'day', usd: 1, tokens: 1 }, /exactly one/],
    [{ tenant: 'acme', per: 'day', usd: '1,5' }, /usd: expected an amount in USD .* saw "1,5"/],
    [{ tenant: 'acme', per: 'day', tokens: 1.5 }, /tokens: expected a whole number/],
    [{ tenant: ' ', per: 'day', usd: 1 }, /tenant: expected a name/],
  ])('%j is refused with what to write', (spec, message) => {
    expect(readQuota(spec as never)).toEqual({ type: 'problem', message: expect.stringMatching(message) });
  });
});
