import { expect, test } from 'vitest';
import type { AttemptId } from '../../../contracts/ids.ts';
import type { Subject } from '../store-contract.ts';
import { auditNotes, newAttempt, reply, reserve, runKey, startRun, usd } from './fixtures.ts';

const USAGE = { inputTokens: 10, cachedInputTokens: 2, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 1 };

export function describeLedgerContract(subject: Subject): void {
  test('a reservation writes the attempt and holds its money', async () => {
    const { store, clock } = subject();
    const attempt = newAttempt(await startRun(store));
    const result = await store.reserveAttempt(attempt);
    expect(result).toMatchObject({ type: 'reserved', ledger: { limitNanoUsd: 1_000, heldNanoUsd: 100, settledNanoUsd: 0 } });
    expect(await store.getAttempt(attempt.runKey, attempt.attemptId)).toEqual({
      ...attempt,
      money: { status: 'held', reservedNanoUsd: 100, settledNanoUsd: null },
      outcome: null,
      reply: null,
      usage: null,
      responseId: null,
      providerRequestId: null,
      reservedAtMs: clock.nowMs,
      endedAtMs: null,
      writeOffReason: null,
    });
  });

  test('the same attempt again reserves nothing, also where it would not fit any more', async () => {
    const { store } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(100) });
    const attempt = newAttempt(key);
    await store.reserveAttempt(attempt);
    expect((await store.reserveAttempt({ ...attempt, reservedNanoUsd: usd(50) })).type).toBe('exists');
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 100 });
    expect((await store.listAttempts(key)).length).toBe(1);
  });

  test('what does not fit is not reserved and leaves no attempt', async () => {
    const { store } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(150) });
    await reserve(store, key);
    const attempt = newAttempt(key, { reservedNanoUsd: usd(51) });
    expect(await store.reserveAttempt(attempt)).toMatchObject({ type: 'rejected', scope: 'run', neededNanoUsd: 51, totals: { heldNanoUsd: 100 } });
    expect(await store.getAttempt(key, attempt.attemptId)).toBeNull();
    expect((await store.reserveAttempt({ ...attempt, reservedNanoUsd: usd(50) })).type).toBe('reserved');
  });

  test('money set aside for a last answer stays free in the scope of the run, and is no limit elsewhere', async () => {
    const { store } = subject();
    await store.setQuota({ tenant: 'acme', feature: null, per: 'day', unit: 'nanoUsd', limit: 100 }, 'command');
    const key = await startRun(store, { limitNanoUsd: usd(150) });
    expect(await store.reserveAttempt(newAttempt(key, { setAsideNanoUsd: usd(51) }))).toMatchObject({ type: 'rejected', scope: 'run', neededNanoUsd: 151 });
    expect((await store.reserveAttempt(newAttempt(key, { setAsideNanoUsd: usd(50) }))).type).toBe('reserved');
  });

  test('a child draws on its parent too, and is stopped by whichever is full', async () => {
    const { store } = subject();
    const parent = await startRun(store, { limitNanoUsd: usd(250) });
    const child = await startRun(store, { limitNanoUsd: usd(1_000), parentRunKeys: [parent] });
    await reserve(store, child);
    await reserve(store, parent);
    expect(await store.getLedger(parent)).toMatchObject({ heldNanoUsd: 200 });
    expect(await store.getLedger(child)).toMatchObject({ heldNanoUsd: 100 });
    expect(await store.reserveAttempt(newAttempt(child))).toMatchObject({ type: 'rejected', scope: 'parent', totals: { limitNanoUsd: 250 } });
    expect(await store.getLedger(child)).toMatchObject({ heldNanoUsd: 100 });
  });

  test('money moves in every scope of the attempt at once', async () => {
    const { store } = subject();
    const parent = await startRun(store);
    const child = await startRun(store, { parentRunKeys: [parent] });
    const [settled, released, written, held] = [
      await reserve(store, child),
      await reserve(store, child),
      await reserve(store, child),
      await reserve(store, child),
    ];
    await store.moveMoney(child, settled, { type: 'settle', costNanoUsd: usd(40) });
    await store.moveMoney(child, released, { type: 'release' });
    await store.moveMoney(child, written, { type: 'writeOff' }, { actor: 'alice', reason: 'the provider lost it' });
    const totals = { limitNanoUsd: 1_000, settledNanoUsd: 40, heldNanoUsd: 100, writtenOffNanoUsd: 100, overrunNanoUsd: 0 };
    expect([await store.getLedger(child), await store.getLedger(parent)]).toEqual([totals, totals]);
    expect(await store.getAttempt(child, written)).toMatchObject({ writeOffReason: 'the provider lost it', money: { status: 'writtenOff' } });
    expect((await store.getAttempt(child, held))?.money.status).toBe('held');
  });

  test('a write-off without a reason is refused', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    for (const reason of [undefined, '', '  '])
      await expect(
        store.moveMoney(key, attemptId, { type: 'writeOff' }, { actor: 'alice', ...(reason === undefined ? {} : { reason }) }),
      ).rejects.toMatchObject({ type: 'invalidInput' });
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 100, writtenOffNanoUsd: 0 });
  });

  test('a charge told twice is charged once; another charge for the same attempt changes nothing and is audited', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    for (const cost of [40, 40, 60]) await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(cost) });
    expect(await store.getLedger(key)).toMatchObject({ settledNanoUsd: 40, heldNanoUsd: 0, overrunNanoUsd: 0 });
    const audit = await auditNotes(store, key);
    expect(audit.map(({ type }) => type)).toEqual(['ledger.conflict']);
    expect(audit[0]?.data).toMatchObject({ attemptId, event: { type: 'settle', costNanoUsd: 60 } });
  });

  test('a charge beyond the bound is an overrun: counted, audited, and in the way of further reservations', async () => {
    const { store } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(200) });
    const attemptId = await reserve(store, key);
    await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(230) });
    expect(await store.getLedger(key)).toMatchObject({ settledNanoUsd: 230, overrunNanoUsd: 130, heldNanoUsd: 0 });
    expect((await auditNotes(store, key)).map(({ type }) => type)).toEqual(['ledger.overrun']);
    expect((await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(1) }))).type).toBe('rejected');
  });

  test('the first outcome stays, and the reply that comes too late is kept beside it with its money', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    const verdict = { class: 'timeout', retrySameModel: true, nextCandidate: true, billed: 'unknown' } as const;
    const failed = await store.reportAttempt(key, attemptId, { outcome: { type: 'failed', verdict, message: 'no answer' } });
    expect(failed).toMatchObject({ outcome: { type: 'failed' }, endedAtMs: clock.nowMs, money: { status: 'held' } });
    clock.nowMs += 1_000;
    const late = await store.reportAttempt(key, attemptId, {
      outcome: { type: 'reply' },
      reply: reply('late'),
      usage: USAGE,
      money: { type: 'settle', costNanoUsd: usd(30) },
    });
    expect(late).toMatchObject({
      outcome: failed.outcome,
      reply: { text: 'late' },
      usage: USAGE,
      endedAtMs: failed.endedAtMs,
      money: { status: 'settled', settledNanoUsd: 30 },
    });
  });

  test('a reply that the transcript may contain already is never replaced', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('first'), usage: USAGE });
    const again = await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('second'), usage: { ...USAGE, outputTokens: 99 } });
    expect(again).toMatchObject({ reply: { text: 'first' }, usage: { outputTokens: 5 } });
  });

  test('an outcome that is a reply needs one', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await expect(store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, money: { type: 'settle', costNanoUsd: usd(1) } })).rejects.toMatchObject({
      type: 'invariantBroken',
    });
    expect(await store.getAttempt(key, attemptId)).toMatchObject({ outcome: null, money: { status: 'held' } });
  });

  test('an impossible amount moves no money and writes nothing', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    for (const cost of [-1, 0.5, Number.NaN, 2 ** 53])
      await expect(store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(cost) })).rejects.toMatchObject({ type: 'invariantBroken' });
    await expect(store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(-50) }))).rejects.toMatchObject({ type: 'invariantBroken' });
    expect(await store.getAttempt(key, attemptId)).toMatchObject({ money: { status: 'held', settledNanoUsd: null } });
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 100, settledNanoUsd: 0 });
  });

  test('an attempt that the store lacks is a lost journal', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const lost = 'lost' as AttemptId;
    expect(await store.getAttempt(key, lost)).toBeNull();
    await expect(store.reportAttempt(key, lost, { outcome: { type: 'reply' }, reply: reply('x') })).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(store.setResponseId(key, lost, 'resp_1')).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(store.setProviderRequestId(key, lost, 'req_1')).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(store.moveMoney(key, lost, { type: 'release' })).rejects.toMatchObject({ type: 'journalMissing' });
  });

  test('the first response id stays', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await store.setResponseId(key, attemptId, 'resp_1');
    await store.setResponseId(key, attemptId, 'resp_2');
    expect((await store.getAttempt(key, attemptId))?.responseId).toBe('resp_1');
  });

  test("the provider's own id of a request is kept, whether it comes with the outcome or before, and the first stays", async () => {
    const { store } = subject();
    const key = await startRun(store);
    const [early, late] = [await reserve(store, key), await reserve(store, key)];
    await store.setProviderRequestId(key, early, 'req_1');
    await store.setProviderRequestId(key, early, 'req_2');
    const outcome = { type: 'reply' } as const;
    expect(await store.reportAttempt(key, early, { outcome, reply: reply('a'), providerRequestId: 'req_3' })).toMatchObject({ providerRequestId: 'req_1' });
    await store.reportAttempt(key, late, { outcome, reply: reply('b') });
    await store.reportAttempt(key, late, { outcome, reply: reply('b'), providerRequestId: 'req_4' });
    expect(await store.getAttempt(key, late)).toMatchObject({ providerRequestId: 'req_4' });
  });

  test('a reply left by a reset is found only for the same run, step and request', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const failed = await reserve(store, key);
    await store.reportAttempt(key, failed, {
      outcome: { type: 'failed', verdict: { class: 'timeout', retrySameModel: true, nextCandidate: true, billed: 'unknown' }, message: 'x' },
      reply: reply('late'),
    });
    expect(await store.findReply(key, 1, 'd1')).toBeNull();
    const answered = await reserve(store, key, { ordinal: 2 });
    await store.reportAttempt(key, answered, { outcome: { type: 'reply' }, reply: reply('x') });
    expect((await store.findReply(key, 1, 'd1'))?.attemptId).toBe(answered);
    expect([await store.findReply(key, 2, 'd1'), await store.findReply(key, 1, 'd2'), await store.findReply(other, 1, 'd1')]).toEqual([null, null, null]);
  });

  test('attempts are listed in the order of their reservation, without those of other runs', async () => {
    const { store } = subject();
    const [key, other] = [await startRun(store, { runKey: runKey('same') }), await startRun(store, { runKey: runKey('same') })];
    const ids = [await reserve(store, key), await reserve(store, key, { ordinal: 2 })];
    await reserve(store, other);
    expect((await store.listAttempts(key)).map(({ attemptId }) => attemptId)).toEqual(ids);
  });

  test('two connections that reserve at once never hold more than the limit', async () => {
    const { store, another } = subject();
    const key = await startRun(store, { limitNanoUsd: usd(1_000) });
    const second = await another();
    const results = await Promise.all(Array.from({ length: 30 }, (_, index) => (index % 2 ? store : second).reserveAttempt(newAttempt(key))));
    expect(results.filter(({ type }) => type === 'reserved').length).toBe(10);
    expect(await store.getLedger(key)).toMatchObject({ heldNanoUsd: 1_000 });
    await second.close();
  });
}
