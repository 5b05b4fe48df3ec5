import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { AttemptId, RunKey } from '../../../contracts/ids.ts';
import type { Repair } from '../../../contracts/repair.ts';
import { judgeRepair } from '../../../domain/repair/repair.ts';
import type { RepairChange } from '../../../domain/repair/store-port.ts';
import type { Store } from '../../../domain/store/port.ts';
import { seededRandom } from '../seeded-random.ts';
import type { Subject } from '../store-contract.ts';
import { approvedGate, auditNotes, END, newAttempt, newToolCall, runKey, startRun, usd } from './fixtures.ts';

const STORIES = 6;
const MOVES = 40;

/** Makes a repair by the rules, as the worker does. */
function make(store: Store, key: RunKey, repair: Repair, change: RepairChange, repairId: string = randomUUID()) {
  const row = { runKey: key, repairId, repair, actor: 'olga', reason: 'it is stuck', isUnverified: false };
  const audit = { type: `repair.${repair.type}`, runKey: key, actor: 'olga', data: { repairId, reason: row.reason } };
  return store.makeRepair(row, change, (state) => judgeRepair(state, repair), audit);
}
const pause = (store: Store, key: RunKey, id?: string) => make(store, key, { type: 'pause' }, { type: 'pause' }, id);
const resume = (store: Store, key: RunKey, id?: string) => make(store, key, { type: 'resume' }, { type: 'resume' }, id);
const raise = (store: Store, key: RunKey, amount: number, id?: string) =>
  make(store, key, { type: 'raiseBudget', amountNanoUsd: amount }, { type: 'raise', nanoUsd: usd(amount) }, id);
const byPause = (_gate: unknown, _nowMs: number, { pausedBy }: { readonly pausedBy: unknown }) =>
  pausedBy === null ? ({ type: 'permitted' } as const) : ({ type: 'paused', message: `by ${String(pausedBy)}` } as const);

export function describeRepairContract(subject: Subject): void {
  test('a run is paused and resumed once each, and what holds already is said', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    expect(await store.controlOf(key)).toEqual({ pausedBy: null, skippedReplyId: null });
    const first = await pause(store, key, 'the-first');
    expect(first).toMatchObject({ type: 'made', repair: { actor: 'olga', reason: 'it is stuck', atMs: clock.nowMs } });
    expect(await store.controlOf(key)).toMatchObject({ pausedBy: key.agentRunId });
    expect(await store.getRun(key)).toMatchObject({ status: 'paused' });
    expect((await store.listRuns({ status: 'paused', limit: 5 })).map(({ runKey: one }) => one)).toEqual([key]);
    expect(await store.listRuns({ status: 'running', limit: 5 })).toEqual([]);
    expect(await pause(store, key)).toMatchObject({ type: 'unchanged' });
    expect(await resume(store, key)).toMatchObject({ type: 'made' });
    expect(await pause(store, key, 'the-first')).toEqual({ ...first, type: 'known' });
    expect(await store.controlOf(key)).toMatchObject({ pausedBy: null });
    expect(await resume(store, key)).toMatchObject({ type: 'unchanged' });
    expect((await store.listRepairs(key)).map(({ repair }) => repair.type)).toEqual(['pause', 'resume']);
    expect((await auditNotes(store, key)).map(({ type, data }) => [type, (data as { reason: string }).reason])).toEqual([
      ['repair.pause', 'it is stuck'],
      ['repair.resume', 'it is stuck'],
    ]);
    await expect(pause(store, runKey())).rejects.toMatchObject({ type: 'journalMissing' });
  });

  test('a run that has ended takes no repair, and holds nobody', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const child = await startRun(store, { parentRunKeys: [key] });
    await pause(store, key);
    await store.endRun(key, END, 1);
    expect(await store.getRun(key)).toMatchObject({ status: 'completed' });
    expect(await store.controlOf(child)).toMatchObject({ pausedBy: null });
    for (const result of [await pause(store, key), await raise(store, key, 5)]) expect(result).toMatchObject({ type: 'refused', reason: 'ended' });
    expect((await store.getLedger(key))?.limitNanoUsd).toBe(1_000);
  });

  test('a budget is raised by exactly the amount, once, for this run alone, also where many ask at once', async () => {
    const { store, another } = subject();
    const [key, other] = [await startRun(store), await startRun(store)];
    const second = await another();
    const results = await Promise.all([store, second, store, second].map((one) => raise(one, key, 250, 'only-once')));
    expect(results.map(({ type }) => type).toSorted()).toEqual(['known', 'known', 'known', 'made']);
    expect((await store.getLedger(key))?.limitNanoUsd).toBe(1_250);
    expect((await store.getLedger(other))?.limitNanoUsd).toBe(1_000);
    expect(await raise(store, key, 4_000_000_000_000_000)).toMatchObject({ type: 'refused', reason: 'budgetTooLarge' });
  });

  test('while a run is paused no action of it, nor of a run below it, begins; its approval stays', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const child = await startRun(store, { parentRunKeys: [key] });
    const grandchild = await startRun(store, { parentRunKeys: [child, key] });
    const stranger = await startRun(store);
    await pause(store, key);
    for (const held of [key, child, grandchild]) {
      const gate = await store.createGate(approvedGate(held));
      const call = newToolCall(held, { effect: 'irreversible', approvalId: gate.approvalId });
      expect(await store.controlOf(held)).toMatchObject({ pausedBy: key.agentRunId });
      expect(await store.consumeApproval({ ...call, approvalId: gate.approvalId }, byPause)).toEqual({ type: 'paused', message: `by ${key.agentRunId}` });
      expect(await store.getToolCall(held, call.callKey)).toBeNull();
      expect(await store.getGate(held, gate.approvalId)).toMatchObject({ status: 'approved' });
      await resume(store, key);
      expect(await store.consumeApproval({ ...call, approvalId: gate.approvalId }, byPause)).toMatchObject({ type: 'permitted' });
      await pause(store, key);
    }
    expect(await store.controlOf(stranger)).toEqual({ pausedBy: null, skippedReplyId: null });
    await resume(store, key);
    await pause(store, child);
    expect(await store.controlOf(key)).toMatchObject({ pausedBy: null });
    expect(await store.controlOf(grandchild)).toMatchObject({ pausedBy: child.agentRunId });
  });

  test('a step that was given up is named, and what was said with a repair can be erased', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const replyAttemptId = randomUUID() as AttemptId;
    await make(store, key, { type: 'skipStep', step: 1 }, { type: 'skip', replyAttemptId });
    expect(await store.controlOf(key)).toEqual({ pausedBy: null, skippedReplyId: replyAttemptId });
    await store.eraseRun(key, ['transcripts']);
    expect((await store.listRepairs(key)).map(({ reason, repair }) => [reason, repair])).toEqual([['[erased]', { type: 'skipStep', step: 1 }]]);
  });

  test('whatever operators do, and whenever, a limit never falls, is never spent past, and nothing begins in a paused run', { timeout: 60_000 }, async () => {
    const { store } = subject();
    for (let seed = 1; seed <= STORIES; seed += 1) {
      const random = seededRandom(seed);
      const key = await startRun(store);
      let [limit, isPaused] = [1_000, false];
      const made = new Map<string, number>();
      const attempts: AttemptId[] = [];
      for (let move = 0; move < MOVES; move += 1) {
        const where = `seed ${seed}, move ${move}`;
        switch (random.below(6)) {
          case 0: {
            // An old one as often as a new one.
            const [known] = [...made.keys()].slice(random.below(made.size + 1));
            const id = known ?? `raise-${move}`;
            const amount = made.get(id) ?? 1 + random.below(300);
            const result = await raise(store, key, amount, id);
            expect(result.type, where).toBe(known === undefined ? 'made' : 'known');
            if (result.type === 'made') limit += amount;
            made.set(id, amount);
            break;
          }
          case 1:
            expect((await pause(store, key)).type, where).toBe(isPaused ? 'unchanged' : 'made');
            isPaused = true;
            break;
          case 2:
            expect((await resume(store, key)).type, where).toBe(isPaused ? 'made' : 'unchanged');
            isPaused = false;
            break;
          case 3: {
            const gate = await store.createGate(approvedGate(key));
            const call = newToolCall(key, { effect: 'irreversible', approvalId: gate.approvalId, argumentsDigest: `arguments-${move}` });
            const begun = await store.consumeApproval({ ...call, approvalId: gate.approvalId }, byPause);
            expect(begun.type, where).toBe(isPaused ? 'paused' : 'permitted');
            break;
          }
          case 4: {
            const attempt = newAttempt(key, { reservedNanoUsd: usd(50 + random.below(400)) });
            const reserved = await store.reserveAttempt(attempt);
            if (reserved.type === 'reserved') attempts.push(attempt.attemptId);
            break;
          }
          default: {
            const attemptId = attempts.splice(random.below(attempts.length), 1)[0];
            if (attemptId) await store.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(random.below(50)) });
          }
        }
        const ledger = await store.getLedger(key);
        expect(ledger?.limitNanoUsd, where).toBe(limit);
        expect((ledger?.settledNanoUsd ?? 0) + (ledger?.heldNanoUsd ?? 0), where).toBeLessThanOrEqual(limit);
      }
    }
  });
}
