import { expect, test } from 'vitest';
import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';
import { auditNotes, reply, reserve, startRun, usd } from './fixtures.ts';

const BY = { actor: 'alice', reason: 'the provider has no record' };
const USAGE = { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 0 };

export function describeHeldContract(subject: Subject): void {
  test('held attempts are listed across runs in the order of their reservation, page by page, and only while they are held', async () => {
    const { store } = subject();
    const [one, two] = [await startRun(store, { task: 'support' }), await startRun(store, { tenant: 'globex' })];
    const ids = [await reserve(store, one), await reserve(store, two), await reserve(store, one), await reserve(store, two)];
    await store.moveMoney(one, ids[2] as AttemptId, { type: 'settle', costNanoUsd: usd(1) });
    const first = await store.listHeld({ limit: 2 });
    expect(first.map(({ attempt }) => attempt.attemptId)).toEqual([ids[0], ids[1]]);
    expect(first[0]).toMatchObject({ tenant: 'acme', task: 'support', snapshotDigest: 'a'.repeat(64), lookup: null, attempt: { runKey: one } });
    const rest = await store.listHeld({ limit: 10, afterCursor: first[1]?.cursor ?? 0 });
    expect(rest.map(({ attempt }) => attempt.attemptId)).toEqual([ids[3]]);
    expect((await store.listHeld({ runKey: one, limit: 10 })).map(({ attempt }) => attempt.attemptId)).toEqual([ids[0]]);
    expect((await store.listHeld({ tenant: 'globex', limit: 10 })).map(({ attempt }) => attempt.attemptId)).toEqual([ids[1], ids[3]]);
  });

  test('only what was reserved before a moment is listed', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const old = await reserve(store, key);
    clock.nowMs += 60_000;
    await reserve(store, key);
    expect((await store.listHeld({ reservedBeforeMs: clock.nowMs, limit: 10 })).map(({ attempt }) => attempt.attemptId)).toEqual([old]);
  });

  test('an answer that decided nothing is kept, and the attempt is not due before its time', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    const looks: number[] = [];
    const again = async (answer: string) =>
      await store.noteLookup(key, attemptId, answer, (count, nowMs) => {
        looks.push(count);
        return nowMs + 60_000 * count;
      });
    await again('still running');
    clock.nowMs += 1_000;
    await again('no usage in the record');
    expect(looks).toEqual([1, 2]);
    expect((await store.findAttempt(attemptId))?.lookup).toEqual({
      lookedAtMs: clock.nowMs,
      looks: 2,
      nextAtMs: clock.nowMs + 120_000,
      answer: 'no usage in the record',
    });
    expect(await store.listHeld({ dueAtMs: clock.nowMs + 119_999, limit: 10 })).toEqual([]);
    expect(await store.listHeld({ dueAtMs: clock.nowMs + 120_000, limit: 10 })).toHaveLength(1);
    expect(await store.listHeld({ limit: 10 })).toHaveLength(1);
  });

  test('an attempt is found by its id alone, whatever its money is doing', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'release' });
    expect(await store.findAttempt(attemptId)).toMatchObject({ attempt: { runKey: key, money: { status: 'released' } } });
    expect(await store.findAttempt('none' as AttemptId)).toBeNull();
  });

  test('a write-off is audited with who and why, and a settlement by a record with its usage', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const [written, settled] = [await reserve(store, key), await reserve(store, key)];
    await store.moveMoney(key, written, { type: 'writeOff' }, BY);
    await store.moveMoney(key, written, { type: 'writeOff' }, { actor: 'bob', reason: 'again' });
    const row = await store.moveMoney(key, settled, { type: 'settle', costNanoUsd: usd(7) }, { actor: 'tollgate', reason: 'the record', usage: USAGE });
    expect(row).toMatchObject({ usage: USAGE, money: { status: 'settled', settledNanoUsd: 7 } });
    const audit = await auditNotes(store, key);
    expect(audit.map(({ type, actor }) => [type, actor])).toEqual([
      ['ledger.writtenOff', 'alice'],
      ['ledger.reconciled', 'tollgate'],
    ]);
    expect(audit[0]?.data).toMatchObject({ attemptId: written, reason: BY.reason });
    expect(await store.getAttempt(key, written)).toMatchObject({ writeOffReason: BY.reason });
  });

  test('open money is counted over all runs and for one tenant', async () => {
    const { store, clock } = subject();
    const [one, two] = [await startRun(store), await startRun(store, { tenant: 'globex' })];
    expect(await store.openMoney()).toMatchObject({ held: { attempts: 0, nanoUsd: 0, oldestReservedAtMs: null } });
    const oldest = clock.nowMs;
    await reserve(store, one);
    clock.nowMs += 5;
    const [over, written, late] = [await reserve(store, two), await reserve(store, two), await reserve(store, two)];
    await store.moveMoney(two, over, { type: 'settle', costNanoUsd: usd(150) });
    await store.moveMoney(two, written, { type: 'writeOff' }, BY);
    await store.moveMoney(two, late, { type: 'release' });
    await store.moveMoney(two, late, { type: 'settle', costNanoUsd: usd(30) });
    expect(await store.openMoney()).toEqual({
      held: { attempts: 1, nanoUsd: 100, oldestReservedAtMs: oldest },
      writtenOff: { attempts: 1, nanoUsd: 100 },
      overruns: { attempts: 2, nanoUsd: 80 },
    });
    expect(await store.openMoney({ tenant: 'acme' })).toMatchObject({ held: { attempts: 1 }, writtenOff: { attempts: 0 }, overruns: { attempts: 0 } });
  });

  test('an overrun raises the bound of its model at its endpoint, by what would have covered it, for every connection', async () => {
    const { store, clock, another } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(10_000) });
    const attempts = [await reserve(store, key), await reserve(store, key), await reserve(store, key)];
    clock.nowMs += 1_000;
    // Reserved under one factor: what they teach is not multiplied.
    for (const [index, cost] of [250, 250, 180].entries()) await store.moveMoney(key, attempts[index] as AttemptId, { type: 'settle', costNanoUsd: usd(cost) });
    const second = await another();
    expect(await second.boundPerMille('gpt-5-mini', 'openai')).toBe(2_500);
    expect([await store.boundPerMille('gpt-5', 'openai'), await store.boundPerMille('gpt-5-mini', 'gateway')]).toEqual([1_000, 1_000]);
    clock.nowMs += 1_000;
    const raised = await reserve(store, key, { reservedNanoUsd: usd(250) });
    await store.moveMoney(key, raised, { type: 'settle', costNanoUsd: usd(500) });
    expect(await second.boundPerMille('gpt-5-mini', 'openai')).toBe(5_021);
    expect(await second.listBoundFactors(10)).toEqual([{ model: 'gpt-5-mini', endpoint: 'openai', perMille: 5_021, raises: 2, changedAtMs: clock.nowMs }]);
    await second.close();
  });

  test('a charge within the bound, and one after a release, teach nothing', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const [within, released] = [await reserve(store, key), await reserve(store, key)];
    await store.moveMoney(key, within, { type: 'settle', costNanoUsd: usd(100) });
    await store.moveMoney(key, released, { type: 'release' });
    await store.moveMoney(key, released, { type: 'settle', costNanoUsd: usd(90) });
    expect(await store.boundPerMille('gpt-5-mini', 'openai')).toBe(1_000);
    expect(await store.listBoundFactors(10)).toEqual([]);
  });

  test('what was learnt of a bound can be forgotten, which the audit keeps, and learnt again', async () => {
    const { store, clock } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(10_000) });
    const attemptId = await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(300) });
    expect(await store.resetBoundFactor('gpt-5-mini', 'openai', { actor: 'alice', reason: 'a freak report' })).toBe(true);
    expect(await store.resetBoundFactor('gpt-5-mini', 'openai', { actor: 'alice' })).toBe(false);
    expect(await store.boundPerMille('gpt-5-mini', 'openai')).toBe(1_000);
    expect(await store.listBoundFactors(10)).toEqual([]);
    expect((await store.listAudit({ limit: 10 })).at(-1)).toMatchObject({
      type: 'bound.reset',
      actor: 'alice',
      data: { model: 'gpt-5-mini', perMille: 3_000 },
    });
    clock.nowMs += 1_000;
    const again = await reserve(store, key);
    await store.moveMoney(key, again, { type: 'settle', costNanoUsd: usd(200) });
    expect(await store.boundPerMille('gpt-5-mini', 'openai')).toBe(2_000);
  });
}

type Actor = 'lateReply' | 'reconcile' | 'writeOff' | 'secondReconcile';

const ACTORS: readonly Actor[] = ['lateReply', 'reconcile', 'writeOff', 'secondReconcile'];

function permutations<T>(items: readonly T[]): T[][] {
  return items.length === 0 ? [[]] : items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}

/** What the records of the provider say at that moment, and what comes of it. */
async function act(store: Store, runKey: RunKey, attemptId: AttemptId, actor: Actor, bill: number, isBilledYet: boolean): Promise<void> {
  const settle = { type: 'settle', costNanoUsd: usd(bill) } as const;
  switch (actor) {
    case 'lateReply':
      await store.reportAttempt(runKey, attemptId, { outcome: { type: 'reply' }, reply: reply('late'), usage: USAGE, money: settle });
      break;
    case 'writeOff':
      await store.moveMoney(runKey, attemptId, { type: 'writeOff' }, BY);
      break;
    default:
      await store.moveMoney(runKey, attemptId, isBilledYet ? settle : { type: 'release' }, { actor: 'tollgate', reason: 'the record' });
  }
}

export function describeHeldInterleavings(subject: Subject): void {
  test.each(['one after the other', 'at once'])(
    'a late reply, two reconciliations and a write-off, in every order, %s: charged once, and what the bill says',
    async (how) => {
      const { store, another } = subject();
      const second = await another();
      const parent = await startRun(store, { limitNanoUsd: usd(1_000_000) });
      const key = await startRun(store, { limitNanoUsd: usd(1_000_000), parentRunKeys: [parent] });
      let billed = 0;
      for (const [index, order] of permutations(ACTORS).entries()) {
        const attemptId = await reserve(store, key);
        // Before the late reply arrives there, the provider may answer that it has never seen the request.
        const seenAt = index % 2 === 0 ? -1 : order.indexOf('lateReply');
        const acts = order.map((actor, place) => () => act(place % 2 ? store : second, key, attemptId, actor, 10 + index, place >= seenAt));
        if (how === 'at once') await Promise.all(acts.map((each) => each()));
        else for (const each of acts) await each();
        billed += 10 + index;
        const totals = { settledNanoUsd: billed, heldNanoUsd: 0, writtenOffNanoUsd: 0 };
        expect(await store.getLedger(key), order.join(', ')).toMatchObject(totals);
        expect(await store.getLedger(parent), order.join(', ')).toMatchObject(totals);
      }
      await second.close();
    },
  );

  test('without a record and without a reply, the money is held or written off, however often it was asked for', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    for (const looks of [1, 2, 3]) {
      await store.noteLookup(key, attemptId, 'no record', (count, nowMs) => nowMs + count);
      expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 100, settledNanoUsd: 0 });
      expect((await store.findAttempt(attemptId))?.lookup?.looks).toBe(looks);
    }
    for (let times = 0; times < 3; times += 1) await store.moveMoney(key, attemptId, { type: 'writeOff' }, BY);
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 0, writtenOffNanoUsd: 100, settledNanoUsd: 0 });
    await store.moveMoney(key, attemptId, { type: 'release' }, BY);
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 0, writtenOffNanoUsd: 100, settledNanoUsd: 0 });
  });
}
