import { expect, test } from 'vitest';
import type { AttemptId } from '../../../contracts/ids.ts';
import type { QuotaRule } from '../../../contracts/quota.ts';
import { MAX_QUOTAS } from '../../../domain/quota/quota.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { newAttempt, reserve, startRun, usd } from './fixtures.ts';

const rule = (change: Partial<QuotaRule> = {}): QuotaRule => ({ tenant: 'acme', feature: null, per: 'day', unit: 'nanoUsd', limit: 250, ...change });
const used = async (store: Store, quotaId: string) => (await store.listQuotaWindows({ quotaId, limit: 10 })).map(({ totals }) => totals);
const MINUTE_MS = 60_000;

export function describeQuotaContract(subject: Subject): void {
  test('tenant and feature bind across runs, and all scopes are reserved or none', async () => {
    const { store } = subject();
    await store.setQuota(rule(), 'command');
    await store.setQuota(rule({ feature: 'chat', limit: 150 }), 'command');
    const [first, second] = [await startRun(store), await startRun(store, { feature: 'mail' })];
    const elsewhere = await startRun(store, { tenant: 'globex' });
    await reserve(store, first);
    const denied = newAttempt(first);
    expect(await store.reserveAttempt(denied)).toMatchObject({
      type: 'rejected',
      scope: 'feature',
      quota: { name: 'tenant acme, feature chat: 0.00000015 USD a day' },
    });
    expect(await store.getAttempt(first, denied.attemptId)).toBeNull();
    await reserve(store, second);
    expect(await store.reserveAttempt(newAttempt(second))).toMatchObject({
      type: 'rejected',
      scope: 'tenant',
      totals: { heldNanoUsd: 200, limitNanoUsd: 250 },
    });
    await reserve(store, elsewhere);
    expect(await store.getLedger(first)).toMatchObject({ heldNanoUsd: 100 });
  });

  test('a denial says which quota it was, when it frees, and whether calls in flight hold what is missing', async () => {
    const { store, clock } = subject();
    clock.nowMs = Date.UTC(2026, 1, 28, 23, 59, 30);
    await store.setQuota(rule({ per: 'month', limit: 150 }), 'command');
    const key = await startRun(store);
    const first = await reserve(store, key);
    const quota = { kind: 'tenant', name: 'tenant acme: 0.00000015 USD a month', freesInMs: 30_000, freesAtMs: Date.UTC(2026, 2, 1), isHeld: true };
    expect(await store.reserveAttempt(newAttempt(key))).toMatchObject({ type: 'rejected', quota });
    await store.moveMoney(key, first, { type: 'settle', costNanoUsd: usd(90) });
    expect(await store.reserveAttempt(newAttempt(key))).toMatchObject({ quota: { ...quota, isHeld: false } });
    expect(await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(151) }))).toMatchObject({ quota: { freesInMs: null, freesAtMs: null } });
  });

  test('a window is left behind when its time is over; what it held is settled in it, however late', async () => {
    const { store, clock } = subject();
    const { quotaId } = await store.setQuota(rule({ per: 'minute', limit: 100 }), 'command');
    const key = await startRun(store);
    const [settled, released, written] = [
      await reserve(store, key, { reservedNanoUsd: usd(40) }),
      await reserve(store, key, { reservedNanoUsd: usd(30) }),
      await reserve(store, key, { reservedNanoUsd: usd(30) }),
    ];
    expect((await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(1) }))).type).toBe('rejected');
    clock.nowMs += MINUTE_MS;
    await reserve(store, key, { reservedNanoUsd: usd(100) });
    await store.moveMoney(key, settled, { type: 'settle', costNanoUsd: usd(45) });
    await store.moveMoney(key, released, { type: 'release' });
    await store.moveMoney(key, written, { type: 'writeOff' }, { actor: 'ann', reason: 'lost' });
    const none = { settledNanoUsd: 0, heldNanoUsd: 0, writtenOffNanoUsd: 0, overrunNanoUsd: 0 };
    expect(await used(store, quotaId)).toEqual([
      { ...none, limitNanoUsd: 100, heldNanoUsd: 100 },
      { ...none, limitNanoUsd: 100, settledNanoUsd: 45, writtenOffNanoUsd: 30, overrunNanoUsd: 5 },
    ]);
  });

  test('tokens are reserved by their bound and settled by the usage; without usage the whole bound counts', async () => {
    const { store } = subject();
    const { quotaId } = await store.setQuota(rule({ unit: 'tokens', limit: 2_000 }), 'command');
    const key = await startRun(store, { limitNanoUsd: usd(10_000) });
    const [first, second, free] = [
      await reserve(store, key, { reservedTokens: 900 }),
      await reserve(store, key, { reservedTokens: 600 }),
      await reserve(store, key, { reservedTokens: 500 }),
    ];
    expect(await store.reserveAttempt(newAttempt(key, { reservedTokens: 1 }))).toMatchObject({
      type: 'rejected',
      unit: 'tokens',
      neededTokens: 1,
      neededNanoUsd: 100,
      quota: { name: 'tenant acme: 2000 tokens a day' },
    });
    const usage = { inputTokens: 100, cachedInputTokens: 40, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 5 };
    const verdict = { class: 'outputTruncated', retrySameModel: false, nextCandidate: true, billed: 'yes' } as const;
    await store.reportAttempt(key, first, { outcome: { type: 'failed', verdict, message: 'x' }, usage, money: { type: 'settle', costNanoUsd: usd(30) } });
    await store.moveMoney(key, second, { type: 'settle', costNanoUsd: usd(50) });
    await store.moveMoney(key, free, { type: 'settle', costNanoUsd: usd(0) });
    expect(await used(store, quotaId)).toMatchObject([{ settledNanoUsd: 120 + 600, heldNanoUsd: 0, overrunNanoUsd: 0 }]);
  });

  test('a quota for each tenant counts each by itself, and gives way to a tenant’s own', async () => {
    const { store } = subject();
    const each = await store.setQuota(rule({ tenant: '*', limit: 100 }), 'config');
    await store.setQuota(rule({ tenant: 'acme', limit: 300 }), 'command');
    const [acme, globex, initech] = [await startRun(store), await startRun(store, { tenant: 'globex' }), await startRun(store, { tenant: 'initech' })];
    await reserve(store, globex);
    await reserve(store, initech);
    for (const key of [globex, initech]) expect(await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(1) }))).toMatchObject({ scope: 'tenant' });
    for (let count = 0; count < 3; count += 1) await reserve(store, acme);
    expect((await store.reserveAttempt(newAttempt(acme))).type).toBe('rejected');
    const windows = await store.listQuotaWindows({ quotaId: each.quotaId, limit: 10 });
    expect(windows.map(({ tenant, totals }) => [tenant, totals.heldNanoUsd])).toEqual([
      ['globex', 100],
      ['initech', 100],
    ]);
  });

  test('a feature without a tenant counts all tenants together', async () => {
    const { store } = subject();
    await store.setQuota(rule({ tenant: null, feature: 'chat', limit: 150 }), 'command');
    await reserve(store, await startRun(store));
    expect(await store.reserveAttempt(newAttempt(await startRun(store, { tenant: 'globex' })))).toMatchObject({ scope: 'feature' });
    await reserve(store, await startRun(store, { tenant: 'globex', feature: 'mail' }));
  });

  test('a new limit holds at once, also for the window under way; a quota taken away binds nobody', async () => {
    const { store } = subject();
    const { quotaId } = await store.setQuota(rule({ limit: 100 }), 'command');
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    expect((await store.reserveAttempt(newAttempt(key))).type).toBe('rejected');
    expect(await store.setQuota(rule({ limit: 200 }), 'command')).toMatchObject({ quotaId, limit: 200 });
    await reserve(store, key);
    expect((await store.reserveAttempt(newAttempt(key))).type).toBe('rejected');
    expect(await store.removeQuota(quotaId)).toMatchObject({ quotaId });
    expect(await store.removeQuota(quotaId)).toBeNull();
    await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(10) });
    expect(await used(store, quotaId)).toMatchObject([{ settledNanoUsd: 10, heldNanoUsd: 100 }]);
  });

  test('the configuration changes its own quotas and leaves those of a command alone', async () => {
    const { store } = subject();
    await store.syncQuotas([rule({ per: 'minute', limit: 1 }), rule({ per: 'day', limit: 2 })]);
    await store.setQuota(rule({ per: 'day', limit: 20 }), 'command');
    await store.setQuota(rule({ per: 'month', limit: 30 }), 'command');
    const before = await store.listQuotas();
    await store.syncQuotas([rule({ per: 'day', limit: 3 }), rule({ tenant: null, feature: 'chat', limit: 4 })]);
    const after = await store.listQuotas();
    expect(after.map(({ per, feature, limit, source }) => [per, feature, limit, source])).toEqual([
      ['day', 'chat', 4, 'config'],
      ['day', null, 20, 'command'],
      ['month', null, 30, 'command'],
    ]);
    expect(after.slice(1)).toEqual(before.filter(({ source }) => source === 'command'));
  });

  test('there are only so many quotas', async () => {
    const { store } = subject();
    await store.syncQuotas(Array.from({ length: MAX_QUOTAS }, (_, index) => rule({ tenant: `t${index}` })));
    await expect(store.setQuota(rule({ tenant: 'one more' }), 'command')).rejects.toMatchObject({ type: 'invalidInput' });
    expect((await store.listQuotas()).length).toBe(MAX_QUOTAS);
    await store.setQuota(rule({ tenant: 't1', limit: 7 }), 'command');
  });

  test('windows that are over for long are removed; a charge that comes later counts for the run, and in no other window', async () => {
    const { store, clock } = subject();
    const { quotaId } = await store.setQuota(rule({ per: 'minute' }), 'command');
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    expect(await store.pruneQuotaWindows()).toBe(0);
    clock.nowMs += 3 * 3_600_000;
    await startRun(store);
    expect(await store.pruneQuotaWindows()).toBe(1);
    expect(await used(store, quotaId)).toEqual([]);
    await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(10) });
    expect(await used(store, quotaId)).toMatchObject([{ settledNanoUsd: 0, heldNanoUsd: 100 }]);
    expect(await store.getLedger(key)).toMatchObject({ settledNanoUsd: 10, heldNanoUsd: 100 });
  });

  test('a window is never taken for another one that was removed before it', async () => {
    const { store, clock } = subject();
    const { quotaId } = await store.setQuota(rule({ per: 'minute' }), 'command');
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    clock.nowMs += 3 * 3_600_000;
    await store.pruneQuotaWindows();
    await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(10) });
    expect((await used(store, quotaId))[0]).toMatchObject({ settledNanoUsd: 0, heldNanoUsd: 100 });
  });

  test('two connections that reserve at once never hold more than a quota, also where its window is new', async () => {
    const { store, another, clock } = subject();
    const { quotaId } = await store.setQuota(rule({ per: 'minute', limit: 1_000 }), 'command');
    const keys = await Promise.all(Array.from({ length: 6 }, () => startRun(store, { limitNanoUsd: usd(100_000) })));
    const second = await another();
    for (let window = 0; window < 3; window += 1) {
      const results = await Promise.all(
        Array.from({ length: 30 }, (_, index) => (index % 2 ? store : second).reserveAttempt(newAttempt(keys[index % keys.length] as (typeof keys)[number]))),
      );
      expect(results.filter(({ type }) => type === 'reserved').length).toBe(10);
      clock.nowMs += MINUTE_MS;
    }
    expect((await used(store, quotaId)).map(({ heldNanoUsd }) => heldNanoUsd)).toEqual([1_000, 1_000, 1_000]);
    await second.close();
  });

  test('a run with a limit in tokens is stopped by it, its children too, and a raise lets it go on', async () => {
    const { store } = subject();
    const parent = await startRun(store, { limitTokens: 2_500 });
    const child = await startRun(store, { parentRunKeys: [parent] });
    await reserve(store, child);
    await reserve(store, parent);
    expect(await store.reserveAttempt(newAttempt(parent))).toMatchObject({ type: 'rejected', scope: 'run', unit: 'tokens', neededTokens: 1_000 });
    expect(await store.reserveAttempt(newAttempt(child))).toMatchObject({ type: 'rejected', scope: 'parent', unit: 'tokens' });
    expect(await store.getTokenLedger(parent)).toMatchObject({ limitNanoUsd: 2_500, heldNanoUsd: 2_000 });
    expect(await store.getTokenLedger(child)).toBeNull();
  });

  test('what a parent set aside for its last answer is not for its children', async () => {
    const { store } = subject();
    const parent = await startRun(store, { limitNanoUsd: usd(400), limitTokens: 10_000 });
    const child = await startRun(store, { parentRunKeys: [parent] });
    await reserve(store, parent, { setAsideNanoUsd: usd(150), setAsideTokens: 7_500 });
    expect(await store.reserveAttempt(newAttempt(child, { reservedNanoUsd: usd(151) }))).toMatchObject({
      scope: 'parent',
      unit: 'nanoUsd',
      neededNanoUsd: 301,
    });
    expect(await store.reserveAttempt(newAttempt(child, { reservedTokens: 1_501 }))).toMatchObject({ scope: 'parent', unit: 'tokens', neededTokens: 9_001 });
    await reserve(store, child, { reservedNanoUsd: usd(150) });
    await reserve(store, parent, { reservedNanoUsd: usd(150), mode: 'wrapUp' });
    expect(await store.getLedger(parent)).toMatchObject({ heldNanoUsd: 400 });
  });

  test('candidates that were passed over are kept, each once', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const skip = {
      runKey: key,
      attemptId: 'a1' as AttemptId,
      step: 1,
      ordinal: 1,
      model: 'gpt-5-mini',
      reason: 'breakerOpen',
      message: 'closed for 30 s',
    } as const;
    await store.recordSkip(skip);
    await store.recordSkip({ ...skip, message: 'again' });
    await store.recordSkip({ ...skip, attemptId: 'a2' as AttemptId, ordinal: 2, reason: 'quotaDenied' });
    expect(await store.listSkips(key)).toMatchObject([
      { ...skip, atMs: clock.nowMs },
      { ordinal: 2, reason: 'quotaDenied' },
    ]);
    expect(await store.listSkips(await startRun(store))).toEqual([]);
    for (let ordinal = 3; ordinal <= 505; ordinal += 1) await store.recordSkip({ ...skip, attemptId: `a${ordinal}` as AttemptId, ordinal });
    expect((await store.listSkips(key)).length).toBe(500);
  });
}
