import { expect, test } from 'vitest';
import type { AttemptId } from '../../../contracts/ids.ts';
import type { Subject } from '../store-contract.ts';
import { newFeedback } from './feedback-contract.ts';
import { approvedGate, END, newGate, newToolCall, permitted, reply, reserve, startRun, usd } from './fixtures.ts';

const FOREVER_MS = 1_000_000_000_000;
const USAGE = { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 0 };
const CLAIM = { holder: 'one', leaseMs: 10_000, limit: 100 };
const LOST = {
  outcome: { type: 'failed', verdict: { class: 'connectionLost', retrySameModel: true, nextCandidate: true, billed: 'unknown' }, message: 'lost' },
} as const;

export function describeTraceContract(subject: Subject): void {
  test('without a sink nothing is kept for export', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await store.endRun(key, END, 0);
    await store.registerSinks(['late'], FOREVER_MS);
    expect(await store.claimEnded('late', CLAIM)).toEqual([]);
  });

  test('what ends is kept once for each sink: attempts, tool calls, gates, the run', async () => {
    const { store } = subject();
    await store.registerSinks(['one', 'two'], FOREVER_MS);
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await store.reportAttempt(key, attemptId, {
      outcome: { type: 'reply' },
      reply: reply('hello'),
      usage: USAGE,
      money: { type: 'settle', costNanoUsd: usd(7) },
    });
    const call = newToolCall(key, { attemptId });
    await store.beginToolCall(call);
    await store.finishToolCall(key, call.callKey, { status: 'done', result: 1, isError: false });
    const read = newToolCall(key, { callKey: 'read', idempotencyKey: 'key-2' });
    await store.journalRead(read, { status: 'done', result: 1, isError: false });
    const gate = await store.createGate(newGate(key));
    await store.endRun(key, END, 1);
    const rows = await store.claimEnded('one', CLAIM);
    expect(rows.map(({ kind, ref }) => [kind, ref]).toSorted()).toEqual(
      [
        ['attempt', attemptId],
        ['tool', call.callKey],
        ['tool', 'read'],
        ['gate', gate.approvalId],
        ['run', ''],
      ].toSorted(),
    );
    expect(rows.every(({ runKey }) => runKey.firstExecutionRunId === key.firstExecutionRunId)).toBe(true);
    expect(rows.find(({ kind }) => kind === 'attempt')?.money).toEqual({ status: 'settled', settledNanoUsd: 7, usage: USAGE });
    expect(await store.claimEnded('two', CLAIM)).toHaveLength(rows.length);
    expect((await store.stepTimes(key, 1)).attempts.map((attempt) => attempt.attemptId)).toEqual([attemptId]);
  });

  test('the same end told again, and a tool call in doubt, add nothing', async () => {
    const { store } = subject();
    await store.registerSinks(['one'], FOREVER_MS);
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    for (let times = 0; times < 2; times += 1)
      await store.reportAttempt(key, attemptId, {
        outcome: { type: 'reply' },
        reply: reply('a'),
        usage: USAGE,
        money: { type: 'settle', costNanoUsd: usd(7) },
      });
    const gate = await store.createGate(approvedGate(key));
    const call = { ...newToolCall(key, { effect: 'irreversible' }), approvalId: gate.approvalId };
    await store.consumeApproval(call, permitted);
    await store.finishToolCall(key, call.callKey, { status: 'inDoubt', result: null, isError: true });
    expect((await store.claimEnded('one', CLAIM)).map(({ kind }) => kind).toSorted()).toEqual(['attempt', 'gate']);
    await store.finishToolCall(key, call.callKey, { status: 'done', result: null, isError: false });
    expect((await store.claimEnded('one', CLAIM)).map(({ kind }) => kind).toSorted()).toEqual(['attempt', 'gate', 'tool']);
  });

  test('money that moves after an attempt has ended is a row of its own, and that of the attempt stays as it was', async () => {
    const { store } = subject();
    await store.registerSinks(['one'], FOREVER_MS);
    const key = await startRun(store);
    const attemptId: AttemptId = await reserve(store, key);
    await store.reportAttempt(key, attemptId, LOST);
    await store.reportAttempt(key, attemptId, {
      outcome: { type: 'reply' },
      reply: reply('late'),
      usage: USAGE,
      money: { type: 'settle', costNanoUsd: usd(9) },
    });
    expect((await store.claimEnded('one', CLAIM)).map(({ kind, money }) => [kind, money])).toEqual([
      ['attempt', { status: 'held', settledNanoUsd: null, usage: null }],
      ['settlement', { status: 'settled', settledNanoUsd: 9, usage: null }],
    ]);
  });

  test('one holder exports at a time; the lease of one that died runs out, and what was not settled comes again', async () => {
    const { store, another, clock } = subject();
    await store.registerSinks(['one'], FOREVER_MS);
    const key = await startRun(store);
    await store.endRun(key, END, 0);
    const other = await another();
    try {
      const rows = await store.claimEnded('one', CLAIM);
      expect(rows).toHaveLength(1);
      expect(await other.claimEnded('one', { ...CLAIM, holder: 'two' })).toEqual([]);
      clock.nowMs += CLAIM.leaseMs + 1;
      expect(await other.claimEnded('one', { ...CLAIM, holder: 'two' })).toEqual(rows);
      await other.settleEnded(
        'one',
        rows.map(({ id }) => id),
        { exported: 2, dropped: 0 },
      );
      expect(await store.claimEnded('one', CLAIM)).toEqual([]);
      expect(await store.listSinks()).toEqual([{ sink: 'one', pending: 0, oldestAtMs: null, exported: 2, dropped: 0 }]);
    } finally {
      await other.close();
    }
  });

  test('the oldest beyond what is kept are dropped and counted', async () => {
    const { store } = subject();
    await store.registerSinks(['one'], FOREVER_MS);
    for (let runs = 0; runs < 5; runs += 1) await store.endRun(await startRun(store), END, 0);
    const before = await store.claimEnded('one', CLAIM);
    expect(await store.trimEnded('one', 3)).toBe(2);
    expect(await store.trimEnded('one', 3)).toBe(0);
    expect((await store.claimEnded('one', CLAIM)).map(({ id }) => id)).toEqual(before.slice(2).map(({ id }) => id));
    expect(await store.listSinks()).toEqual([{ sink: 'one', pending: 3, oldestAtMs: expect.any(Number), exported: 0, dropped: 2 }]);
  });

  test('feedback is kept for sinks that take it, once its run has ended, and behind the spans of that', async () => {
    const { store } = subject();
    await store.registerSinks(['one'], FOREVER_MS);
    await store.registerSinks(['one feedback'], FOREVER_MS, 'feedback');
    const key = await startRun(store);
    await store.putFeedback(newFeedback(key));
    await store.putFeedback(newFeedback(key, { feedbackId: 'f2', step: 1 }));
    expect(await store.claimEnded('one feedback', CLAIM)).toEqual([]);
    await store.endRun(key, END, 0);
    await store.putFeedback(newFeedback(key, { feedbackId: 'f3' }));
    await store.putFeedback(newFeedback(key, { feedbackId: 'f3' }));
    const spans = await store.claimEnded('one', CLAIM);
    expect(spans.map(({ kind }) => kind)).toEqual(['run']);
    const behind = { ...CLAIM, behind: 'one' };
    expect(await store.claimEnded('one feedback', behind)).toEqual([]);
    const ids = spans.map(({ id }) => id);
    await store.settleEnded('one', ids, { exported: 1, dropped: 0 });
    const rows = await store.claimEnded('one feedback', behind);
    expect(rows.map(({ kind, ref, runKey }) => [kind, ref, runKey])).toEqual(['f1', 'f2', 'f3'].map((id) => ['feedback', id, key]));
    // Spans that end later hold up none that came before them.
    const other = await startRun(store);
    await store.endRun(other, END, 0);
    expect(await store.claimEnded('one feedback', behind)).toEqual(rows);
    expect((await store.listSinks()).map(({ sink, pending }) => [sink, pending])).toEqual([
      ['one', 1],
      ['one feedback', 3],
    ]);
  });

  test('a sink that nobody names any more is forgotten with what was kept for it', async () => {
    const { store, clock } = subject();
    await store.registerSinks(['old', 'kept'], 60_000);
    await store.endRun(await startRun(store), END, 0);
    clock.nowMs += 59_000;
    await store.registerSinks(['kept'], 60_000);
    expect((await store.listSinks()).map(({ sink }) => sink)).toEqual(['kept', 'old']);
    clock.nowMs += 2_000;
    await store.registerSinks(['kept'], 60_000);
    expect(await store.listSinks()).toEqual([{ sink: 'kept', pending: 1, oldestAtMs: expect.any(Number), exported: 0, dropped: 0 }]);
  });

  test('a run keeps the place in a trace that it was given', async () => {
    const { store } = subject();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect((await store.getRun(await startRun(store, { traceparent })))?.traceparent).toBe(traceparent);
    expect(await store.getRun(await startRun(store))).not.toHaveProperty('traceparent');
  });
}
