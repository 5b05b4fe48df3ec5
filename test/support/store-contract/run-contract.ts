import { expect, test } from 'vitest';
import type { RunKey } from '../../../contracts/ids.ts';
import type { Subject } from '../store-contract.ts';
import { END, approvedGate, newAttempt, newGate, newRun, reply, reserve, runKey, startRun, usd } from './fixtures.ts';

export function describeRunContract(subject: Subject): void {
  test('a run comes back as it was created', async () => {
    const { store, clock } = subject();
    const parent = await startRun(store);
    const run = newRun({ parentRunKeys: [parent], limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
    expect(await store.createRun(run)).toBe('created');
    expect(await store.getRun(run.runKey)).toEqual({ ...run, status: 'running', startedAtMs: clock.nowMs, endedAtMs: null, end: null, steps: 0 });
  });

  test('the same run created again changes nothing', async () => {
    const { store } = subject();
    const run = newRun();
    await store.createRun(run);
    expect(await store.createRun({ ...run, task: 'another', limitNanoUsd: usd(9) })).toBe('exists');
    expect(await store.getRun(run.runKey)).toMatchObject({ task: 'support', limitNanoUsd: 1_000 });
  });

  test('a Workflow Id used a second time is another run, and the newest one is found by the id', async () => {
    const { store, clock } = subject();
    const first = await startRun(store, { runKey: runKey('again') });
    await reserve(store, first);
    clock.nowMs += 1;
    const second = await startRun(store, { runKey: runKey('again') });
    expect((await store.latestRun(second.agentRunId))?.runKey).toEqual(second);
    expect(await store.listAttempts(second)).toEqual([]);
    expect(await store.getLedger(second)).toMatchObject({ heldNanoUsd: 0 });
  });

  test('what is not there is null, not an error', async () => {
    const { store } = subject();
    const nobody = runKey();
    expect(await store.getRun(nobody)).toBeNull();
    expect(await store.latestRun(nobody.agentRunId)).toBeNull();
    expect(await store.getLedger(nobody)).toBeNull();
    expect(await store.listAttempts(nobody)).toEqual([]);
    expect(await store.listToolCalls(nobody)).toEqual([]);
  });

  test('what is written for a run that the store lacks is refused as a lost journal', async () => {
    const { store } = subject();
    const nobody = runKey();
    await expect(store.endRun(nobody, END, 1)).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(reserve(store, nobody)).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(store.putNode(nobody, 'n', { role: 'user', text: 'hi' })).rejects.toMatchObject({ type: 'journalMissing' });
    await expect(store.createRun(newRun({ parentRunKeys: [nobody] }))).rejects.toMatchObject({ type: 'journalMissing' });
  });

  test('a run that could not be created with its parents is not there at all', async () => {
    const { store } = subject();
    const run = newRun({ parentRunKeys: [runKey()] });
    await store.createRun(run).catch(() => undefined);
    expect(await store.getRun(run.runKey)).toBeNull();
  });

  test('the first end stays', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    expect(await store.endRun(key, END, 3)).toEqual(END);
    clock.nowMs += 10;
    const late = { status: 'cancelled', message: 'The run was cancelled.' } as const;
    expect(await store.endRun(key, late, 9)).toEqual(END);
    expect(await store.getRun(key)).toMatchObject({ status: 'completed', end: END, steps: 3, endedAtMs: clock.nowMs - 10 });
  });

  test('the end of a run withdraws its gates that are open or approved and unused, and no others', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const other = await startRun(store);
    const open = await store.createGate(newGate(key));
    const approved = await store.createGate(approvedGate(key));
    const denied = await store.createGate(newGate(key, { status: 'denied' }));
    const consumed = await store.createGate(newGate(key, { status: 'consumed' }));
    const foreign = await store.createGate(newGate(other));
    await store.endRun(key, END, 1);
    const statusOf = async (runKeyOf: RunKey, gate: typeof open) => (await store.getGate(runKeyOf, gate.approvalId))?.status;
    expect([await statusOf(key, open), await statusOf(key, approved), await statusOf(key, denied), await statusOf(key, consumed)]).toEqual([
      'withdrawn',
      'withdrawn',
      'denied',
      'consumed',
    ]);
    expect(await statusOf(other, foreign)).toBe('open');
  });

  test('a gate that a late activity opened after the end is withdrawn when the end is written again', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await store.endRun(key, END, 1);
    const late = await store.createGate(newGate(key));
    await store.endRun(key, END, 1);
    expect((await store.getGate(key, late.approvalId))?.status).toBe('withdrawn');
  });

  test('a reservation takes the end of its run back: a reset has undone it', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const attemptId = await reserve(store, key);
    await store.endRun(key, END, 1);
    const reopened = async () => (await store.listAudit({ runKey: key, limit: 100 })).filter(({ type }) => type === 'run.reopened').length;
    await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(2_000) }));
    expect(await store.reserveAttempt(newAttempt(key, { attemptId }))).toMatchObject({ type: 'exists' });
    expect([(await store.getRun(key))?.status, await reopened()]).toEqual(['completed', 0]);
    await reserve(store, key);
    await reserve(store, key);
    expect(await store.getRun(key)).toMatchObject({ status: 'running', end: null, endedAtMs: null });
    expect(await reopened()).toBe(1);
  });

  test('a run that a reset took back goes on and can end differently', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await store.endRun(key, END, 1);
    await store.reopenRun(key);
    expect(await store.getRun(key)).toMatchObject({ status: 'running', end: null, endedAtMs: null });
    expect(await store.endRun(key, { status: 'failed', message: 'x' }, 2)).toMatchObject({ status: 'failed' });
  });

  test('a running run with an open gate awaits approval, and goes on running once none is open', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const gate = await store.createGate(newGate(key));
    expect((await store.getRun(key))?.status).toBe('awaitingApproval');
    expect((await store.listRuns({ status: 'awaitingApproval', limit: 5 })).map((run) => run.runKey)).toEqual([key]);
    expect(await store.listRuns({ status: 'running', limit: 5 })).toEqual([]);
    await store.closeGate(key, gate.approvalId, 'withdrawn');
    expect((await store.getRun(key))?.status).toBe('running');
  });

  test('a run that has not ended counts the steps that have a reply', async () => {
    const { store } = subject();
    const key = await startRun(store);
    for (const step of [1, 1, 2]) await store.reportAttempt(key, await reserve(store, key, { step }), { outcome: { type: 'reply' }, reply: reply('x') });
    await reserve(store, key, { step: 3 });
    expect((await store.getRun(key))?.steps).toBe(2);
  });

  test('the children of a run are listed, not those of others and not their own children', async () => {
    const { store } = subject();
    const parent = await startRun(store);
    const [first, second] = [await startRun(store, { parentRunKeys: [parent] }), await startRun(store, { parentRunKeys: [parent] })];
    await startRun(store, { parentRunKeys: [first, parent] });
    await startRun(store, { parentRunKeys: [await startRun(store)] });
    const childrenOf = async (key: RunKey) => (await store.listRuns({ parent: key, limit: 10 })).map((run) => run.runKey);
    expect(await childrenOf(parent)).toEqual([second, first]);
    expect(await childrenOf(first)).toHaveLength(1);
    expect(await childrenOf(second)).toEqual([]);
  });

  test('runs are listed newest first, filtered, and never more than asked for', async () => {
    const { store, clock } = subject();
    const keys: RunKey[] = [];
    for (const tenant of ['acme', 'acme', 'globex']) {
      clock.nowMs += 1;
      keys.push(await startRun(store, { tenant, task: tenant === 'globex' ? 'audit' : 'support' }));
    }
    const listed = async (filter: object) => (await store.listRuns({ limit: 10, ...filter })).map((run) => run.runKey);
    expect(await listed({})).toEqual(keys.toReversed());
    expect(await listed({ limit: 1 })).toEqual([keys[2]]);
    expect(await listed({ tenant: 'acme' })).toEqual([keys[1], keys[0]]);
    expect(await listed({ tenant: 'acme', task: 'audit' })).toEqual([]);
    expect(await listed({ olderThan: keys[2] })).toEqual([keys[1], keys[0]]);
    expect(await listed({ olderThan: keys[2], tenant: 'acme', limit: 1 })).toEqual([keys[1]]);
    expect(await listed({ olderThan: keys[0] })).toEqual([]);
    expect(await listed({ olderThan: runKey() })).toEqual([]);
    await expect(store.listRuns({ limit: 0 })).rejects.toThrow('limit');
    await expect(store.listRuns({ limit: Number.NaN })).rejects.toThrow('limit');
  });
}
