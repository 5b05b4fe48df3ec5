import { expect, test } from 'vitest';
import type { Subject } from '../store-contract.ts';
import { END, newAttempt, newGate, reply, reserve, startRun, usd } from './fixtures.ts';

const DAY_MS = 86_400_000;

export function describeOverviewContract(subject: Subject): void {
  test('open gates come with their run, the one that expires first first, of one tenant or of all', async () => {
    const { store } = subject();
    const [acme, globex] = [await startRun(store, { task: 'refunds' }), await startRun(store, { tenant: 'globex' })];
    const late = await store.createGate(newGate(acme, { expiresAtMs: 3_000_000_000_000 }));
    const urgent = await store.createGate(newGate(globex, { expiresAtMs: 900 }));
    const soon = await store.createGate(newGate(acme, { expiresAtMs: 10_000 }));
    await store.createGate(newGate(acme, { status: 'denied' }));

    const all = await store.listWaitingGates({ limit: 10 });
    expect(all.gates.map(({ gate }) => gate.approvalId)).toEqual([urgent.approvalId, soon.approvalId, late.approvalId]);
    expect(all).toMatchObject({ total: 3, gates: [{ tenant: 'globex', task: 'support' }, { tenant: 'acme', task: 'refunds', feature: 'chat' }, {}] });
    expect(all.gates[1]?.gate).toEqual(soon);
    expect(await store.listWaitingGates({ limit: 1 })).toMatchObject({ total: 3, gates: [{ gate: { approvalId: urgent.approvalId } }] });
    const ofAcme = await store.listWaitingGates({ tenant: 'acme', limit: 10 });
    expect(ofAcme).toMatchObject({ total: 2 });
    expect(ofAcme.gates.map(({ gate }) => gate.approvalId)).toEqual([soon.approvalId, late.approvalId]);
    expect(await store.listWaitingGates({ tenant: 'nobody', limit: 10 })).toEqual({ gates: [], total: 0 });
  });

  test('spend is summed by the day of the reservation, by task and tenant, what is held apart', async () => {
    const { store, clock } = subject();
    const [acme, globex] = [await startRun(store), await startRun(store, { tenant: 'globex', task: 'refunds' })];
    const settle = async (key: typeof acme, nanoUsd: number) => {
      const id = await reserve(store, key, { reservedNanoUsd: usd(100) });
      await store.reportAttempt(key, id, { outcome: { type: 'reply' }, reply: reply('x'), money: { type: 'settle', costNanoUsd: usd(nanoUsd) } });
    };
    await settle(acme, 40);
    await settle(acme, 2);
    await store.reserveAttempt(newAttempt(acme, { reservedNanoUsd: usd(100) }));
    clock.nowMs += DAY_MS;
    await settle(acme, 5);
    await settle(globex, 7);

    const day = Math.floor(clock.nowMs / DAY_MS);
    const rows = await store.sumSpend({ sinceMs: 0, limit: 10 });
    expect(rows).toEqual([
      { day, task: 'refunds', tenant: 'globex', attempts: 1, settledNanoUsd: 7, heldNanoUsd: 0 },
      { day, task: 'support', tenant: 'acme', attempts: 1, settledNanoUsd: 5, heldNanoUsd: 0 },
      { day: day - 1, task: 'support', tenant: 'acme', attempts: 3, settledNanoUsd: 42, heldNanoUsd: 100 },
    ]);
    expect(await store.sumSpend({ sinceMs: 0, limit: 10, tenant: 'globex' })).toEqual([rows[0]]);
    expect(await store.sumSpend({ sinceMs: day * DAY_MS, limit: 10 })).toEqual(rows.slice(0, 2));
    expect(await store.sumSpend({ sinceMs: 0, limit: 1 })).toEqual(rows.slice(0, 1));
  });

  test('runs are counted by the status that people see, and gates come with the times of their decisions', async () => {
    const { store, clock } = subject();
    const [ended, waiting] = [await startRun(store), await startRun(store)];
    await startRun(store, { tenant: 'globex' });
    await store.createGate(newGate(waiting, { tool: 'pay', arguments: { secret: 'x' } }));
    await store.createGate(newGate(ended, { status: 'consumed', createdAtMs: 5, decidedAtMs: 9 }));
    await store.endRun(ended, END, 1);

    const filter = { sinceMs: clock.nowMs, limit: 10 };
    expect(await store.countRuns(filter)).toMatchObject([
      { task: 'support', tenant: 'acme', status: 'awaitingApproval', runs: 1 },
      { task: 'support', tenant: 'acme', status: 'completed', runs: 1 },
      { task: 'support', tenant: 'globex', status: 'running', runs: 1 },
    ]);
    expect(await store.listGateTimes(filter)).toEqual([
      { task: 'support', tenant: 'acme', tool: 'refund', status: 'consumed', createdAtMs: 5, decidedAtMs: 9 },
      { task: 'support', tenant: 'acme', tool: 'pay', status: 'open', createdAtMs: clock.nowMs, decidedAtMs: null },
    ]);
    expect(await store.countRuns({ ...filter, tenant: 'globex' })).toHaveLength(1);
    expect(await store.listGateTimes({ ...filter, tenant: 'globex' })).toEqual([]);
    expect(await store.countRuns({ ...filter, sinceMs: clock.nowMs + 1 })).toEqual([]);
  });

  test('budgets are summed with what is used of them, and those of child runs, which draw on their parent’s, are not counted again', async () => {
    const { store, clock } = subject();
    const parent = await startRun(store, { limitNanoUsd: usd(1_000) });
    const child = await startRun(store, { limitNanoUsd: usd(400), parentRunKeys: [parent] });
    await startRun(store, { limitNanoUsd: usd(50) });
    const id = await reserve(store, child, { reservedNanoUsd: usd(100) });
    await store.reportAttempt(child, id, { outcome: { type: 'reply' }, reply: reply('x'), money: { type: 'settle', costNanoUsd: usd(30) } });
    await store.reserveAttempt(newAttempt(parent, { reservedNanoUsd: usd(7) }));
    expect(await store.countRuns({ sinceMs: clock.nowMs, limit: 10 })).toEqual([
      { task: 'support', tenant: 'acme', status: 'running', runs: 3, limitNanoUsd: 1_050, usedNanoUsd: 37 },
    ]);
  });
}
