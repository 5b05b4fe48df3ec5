import { expect, test } from 'vitest';
import type { AttemptId, ContentDigest, RunKey } from '../../../contracts/ids.ts';
import { verdictFor } from '../../../domain/model/error-classifier.ts';
import type { UsageFilter } from '../../../domain/report/store-port.ts';
import type { NewAttempt, Store } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { newFeedback } from './feedback-contract.ts';
import { END, newGate, reply, reserve, startRun, usd } from './fixtures.ts';

const START = 1_800_000_000_000;
const ALL = { fromMs: 0, toMs: START + 1e12, limit: 100 } as const;
const USAGE = { inputTokens: 100, cachedInputTokens: 40, cacheWriteTokens: 5, outputTokens: 20, reasoningTokens: 8 };

async function settled(subject: Subject, key: RunKey, tookMs: number, cost: number, change: Partial<NewAttempt> = {}): Promise<AttemptId> {
  const { store, clock } = subject();
  const attemptId = await reserve(store, key, change);
  clock.nowMs += tookMs;
  const money = { type: 'settle', costNanoUsd: usd(cost) } as const;
  await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('ok'), usage: USAGE, money });
  clock.nowMs -= tookMs;
  return attemptId;
}

async function total(store: Store, change: Partial<UsageFilter> = {}) {
  const { groups } = await store.reportUsage({ by: 'total', ...ALL, ...change });
  expect(groups).toHaveLength(1);
  return groups[0];
}

export function describeReportContract(subject: Subject): void {
  test('a report adds up what was settled, held, written off and estimated, and agrees with the ledgers', async () => {
    const { store } = subject();
    const [one, two] = [await startRun(store), await startRun(store, { limitNanoUsd: usd(500) })];
    await settled(subject, one, 100, 60);
    await settled(subject, two, 300, 130);
    await reserve(store, one);
    const given = await reserve(store, two);
    await store.moveMoney(two, given, { type: 'writeOff' }, { actor: 'alice', reason: 'unknown' });
    const never = await reserve(store, two);
    await store.reportAttempt(two, never, {
      outcome: { type: 'failed', verdict: verdictFor('rateLimited', 'no'), message: 'later' },
      money: { type: 'settle', costNanoUsd: usd(0) },
    });
    const report = await total(store);
    expect(report?.attempts).toEqual({
      attempts: 5,
      replies: 2,
      fallbacks: 0,
      inFlight: 2,
      money: { settledNanoUsd: 190n, heldNanoUsd: 100n, writtenOffNanoUsd: 100n, overrunNanoUsd: 30n, estimatedNanoUsd: 200n },
      tokens: { inputTokens: 200, cachedInputTokens: 80, cacheWriteTokens: 10, outputTokens: 40, reasoningTokens: 16 },
      latency: { p50Ms: 100, p95Ms: 300, p99Ms: 300 },
    });
    const ledgers = await Promise.all([one, two].map((key) => store.getLedger(key)));
    const sum = (field: 'settledNanoUsd' | 'heldNanoUsd' | 'writtenOffNanoUsd' | 'limitNanoUsd') =>
      BigInt(ledgers.reduce((amount, ledger) => amount + (ledger?.[field] ?? 0), 0));
    expect(report?.attempts.money).toMatchObject({ settledNanoUsd: sum('settledNanoUsd'), heldNanoUsd: sum('heldNanoUsd') });
    expect(report?.attempts.money.writtenOffNanoUsd).toBe(sum('writtenOffNanoUsd'));
    expect(report?.runs?.limitNanoUsd).toBe(sum('limitNanoUsd'));
  });

  test('percentiles are nearest ranks of replies alone', async () => {
    const { store } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(1e9) });
    for (let tookMs = 1; tookMs <= 100; tookMs += 1) await settled(subject, key, tookMs, 1);
    const failed = await reserve(store, key);
    subject().clock.nowMs += 9_999;
    await store.reportAttempt(key, failed, { outcome: { type: 'failed', verdict: verdictFor('timeout', 'unknown'), message: 'late' } });
    expect((await total(store))?.attempts.latency).toEqual({ p50Ms: 50, p95Ms: 95, p99Ms: 99 });
  });

  test('a reply after another candidate was tried or passed over counts as a fallback, a second try of the same does not', async () => {
    const { store } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(1e9) });
    await settled(subject, key, 1, 1, { step: 1, ordinal: 1 });
    await settled(subject, key, 1, 1, { step: 1, ordinal: 2 });
    await settled(subject, key, 1, 1, { step: 1, ordinal: 3, model: 'gpt-5-nano' });
    const skip = { runKey: key, attemptId: 'skipped' as AttemptId, step: 2, ordinal: 1, model: 'gpt-5-mini', reason: 'breakerOpen', message: 'open' } as const;
    await store.recordSkip(skip);
    await settled(subject, key, 1, 1, { step: 2, ordinal: 2, model: 'gpt-5-nano' });
    const { groups } = await store.reportUsage({ by: 'model', ...ALL });
    expect(groups.map(({ key: model, attempts: { replies, fallbacks }, runs }) => [model, replies, fallbacks, runs])).toEqual([
      ['gpt-5-mini', 2, 0, null],
      ['gpt-5-nano', 2, 2, null],
    ]);
  });

  test('a report is by task, feature, tenant, day and prompt version, in the order of bytes', async () => {
    const { store, clock } = subject();
    const snapshot = { task: { name: 'support', promptName: 'desk' }, promptDigest: 'abcdef0123456789' };
    const snapshotDigest = await store.putContent(JSON.stringify(snapshot));
    await settled(subject, await startRun(store, { task: 'Zebra', tenant: 'globex', feature: 'mail', snapshotDigest }), 1, 10);
    clock.nowMs += 86_400_000;
    await settled(subject, await startRun(store, { task: 'ärger', snapshotDigest: 'e'.repeat(64) as ContentDigest }), 1, 20);
    await settled(subject, await startRun(store, { task: 'apple', snapshotDigest }), 1, 30);
    const by = async (dimension: UsageFilter['by'], change: Partial<UsageFilter> = {}) =>
      (await store.reportUsage({ by: dimension, ...ALL, ...change })).groups.map(({ key, attempts }) => [key, Number(attempts.money.settledNanoUsd)]);
    expect(await by('task')).toEqual([
      ['Zebra', 10],
      ['apple', 30],
      ['ärger', 20],
    ]);
    expect(await by('tenant')).toEqual([
      ['acme', 50],
      ['globex', 10],
    ]);
    expect(await by('feature', { tenant: 'globex' })).toEqual([['mail', 10]]);
    expect(await by('day')).toEqual([
      ['2027-01-15', 10],
      ['2027-01-16', 50],
    ]);
    expect(await by('promptVersion')).toEqual([
      ['(unknown)', 20],
      ['desk@abcdef012345', 40],
    ]);
    expect(await by('day', { fromMs: START + 1_000 })).toEqual([['2027-01-16', 50]]);
    expect(await by('day', { toMs: START + 1_000 })).toEqual([['2027-01-15', 10]]);
  });

  test('a report shows whole groups only, and says that there are more', async () => {
    const { store } = subject();
    for (const task of ['a', 'b', 'c']) await settled(subject, await startRun(store, { task }), 1, 10);
    // A group that has no run, so that one statement is cut before another.
    const { groups, isMore } = await store.reportUsage({ by: 'task', ...ALL, limit: 2 });
    expect(groups.map(({ key, runs }) => [key, runs?.runs])).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(isMore).toBe(true);
    expect(await store.reportUsage({ by: 'task', ...ALL, limit: 3 })).toMatchObject({ isMore: false });
  });

  test('runs are counted by how they ended, a child adds no budget, gates by what became of them, feedback by its mean', async () => {
    const { store, clock } = subject();
    const parent = await startRun(store);
    const child = await startRun(store, { parentRunKeys: [parent], limitNanoUsd: usd(400) });
    await store.createGate(newGate(parent, { status: 'approved', decidedAtMs: START + 7_000 }));
    await store.createGate(newGate(parent, { status: 'denied', decidedAtMs: START + 3_000 }));
    await store.createGate(newGate(parent));
    await store.endRun(child, { ...END, status: 'failed' }, 1);
    await store.putFeedback(newFeedback(parent, { scorePerMille: 1_000 }));
    await store.putFeedback(newFeedback(parent, { feedbackId: 'f2', scorePerMille: -500 }));
    const report = await total(store);
    expect(report?.runs).toEqual({
      runs: 2,
      ended: { completed: 0, budgetExhausted: 0, denied: 0, expired: 0, cancelled: 0, failed: 1 },
      limitNanoUsd: 1_000n,
    });
    expect(report?.gates).toEqual({ gates: 3, open: 1, approved: 1, denied: 1, expired: 0, wait: { p50Ms: 3_000, p95Ms: 7_000, p99Ms: 7_000 } });
    expect(report?.feedback).toEqual({ count: 2, meanScore: 0.25 });
    expect(clock.nowMs).toBe(START);
  });

  test('the pulse has runs that go on, those that wait, and the gates that they wait at', async () => {
    const { store } = subject();
    expect(await store.readPulse()).toEqual({ nowMs: START, openRuns: 0, waitingRuns: 0, waitingGates: [] });
    const [one, two, over] = [await startRun(store), await startRun(store), await startRun(store)];
    await store.createGate(newGate(one, { createdAtMs: START - 5_000, expiresAtMs: START + 9_000 }));
    await store.createGate(newGate(one, { kind: 'budget', expiresAtMs: START + 2_000 }));
    await store.createGate(newGate(two, { createdAtMs: START - 1_000, expiresAtMs: START + 3_000 }));
    await store.createGate(newGate(two, { status: 'approved' }));
    await store.createGate(newGate(over));
    await store.endRun(over, END, 1);
    expect(await store.readPulse()).toEqual({
      nowMs: START,
      openRuns: 2,
      waitingRuns: 2,
      waitingGates: [
        { kind: 'action', count: 2, oldestCreatedAtMs: START - 5_000, nextExpiresAtMs: START + 3_000 },
        { kind: 'budget', count: 1, oldestCreatedAtMs: START, nextExpiresAtMs: START + 2_000 },
      ],
    });
  });

  test('a report of nothing has no groups, and one of an erased run still has its money', async () => {
    const { store } = subject();
    expect(await store.reportUsage({ by: 'total', ...ALL })).toEqual({ groups: [], isMore: false });
    const key = await startRun(store);
    await settled(subject, key, 5, 50);
    await store.createGate(newGate(key, { status: 'denied', decidedAtMs: START + 3_000 }));
    await store.endRun(key, END, 1);
    await store.eraseRun(key, ['transcripts', 'journals', 'vault', 'audit']);
    expect(await total(store)).toMatchObject({ attempts: { replies: 1, money: { settledNanoUsd: 50n } }, gates: { denied: 1, wait: { p50Ms: 3_000 } } });
  });
}
