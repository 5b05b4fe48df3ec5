import { expect, test } from 'vitest';
import { DATA_CLASSES } from '../../../domain/erasure/store-port.ts';
import type { Subject } from '../store-contract.ts';
import { newGate, startRun } from './fixtures.ts';

const ALL = { limit: 100, leaseMs: 1_000 };
const DONE = { state: { delivered: ['hook'], dead: {} }, status: 'done', retryAfterMs: 0, lastError: null } as const;

export function describeNotificationContract(subject: Subject): void {
  test('opening a gate, deciding it and closing it each leave one notification, and nothing else does', async () => {
    const { store } = subject();
    const run = await startRun(store);
    const [decided, closed, left] = [await store.createGate(newGate(run)), await store.createGate(newGate(run)), await store.createGate(newGate(run))];
    await store.createGate(decided);
    const accept = (status: 'approved') =>
      store.decideGate(
        run,
        decided.approvalId,
        (row) => ({ gate: { ...row, status }, answer: { type: 'accepted', gateStatus: status, message: '' } }),
        () => ({ type: 'x', runKey: run, actor: 'x', data: {} }),
      );
    await accept('approved');
    await accept('approved');
    await store.closeGate(run, closed.approvalId, 'withdrawn');
    await store.withdrawGatesExcept(run, []);
    const events = (await store.claimNotifications(ALL)).map(({ event, approvalId, tenant, tries }) => `${event} ${approvalId} ${tenant} ${tries}`);
    const of = (event: string, { approvalId }: { readonly approvalId: string }) => `${event} ${approvalId} acme 1`;
    expect(events).toHaveLength(6);
    expect(new Set(events)).toEqual(
      new Set([...[decided, closed, left].map((gate) => of('gateOpened', gate)), ...[decided, closed, left].map((gate) => of('gateDecided', gate))]),
    );
  });

  test('a gate whose decision fails tells nobody; one that a standing approval approved neither', async () => {
    const { store } = subject();
    const run = await startRun(store);
    const gate = await store.createGate(newGate(run));
    await store.createGate(newGate(run, { status: 'approved' }));
    const broken = () => {
      throw new Error('broken');
    };
    await expect(
      store.decideGate(
        run,
        gate.approvalId,
        (row) => ({ gate: { ...row, status: 'denied' }, answer: { type: 'accepted', gateStatus: 'denied', message: '' } }),
        broken,
      ),
    ).rejects.toThrow('broken');
    expect((await store.claimNotifications(ALL)).map(({ event }) => event)).toEqual(['gateOpened']);
  });

  test('two workers never hold the same notification; a lease runs out, and its late holder changes nothing', async () => {
    const { store, another, clock } = subject();
    const run = await startRun(store);
    for (let gates = 0; gates < 12; gates += 1) await store.createGate(newGate(run));
    const second = await another();
    const claims = (await Promise.all([store, second, store, second].map((one) => one.claimNotifications({ limit: 4, leaseMs: 1_000 })))).flat();
    expect(new Set(claims.map(({ eventId }) => eventId)).size).toBe(12);
    expect(await second.claimNotifications(ALL)).toEqual([]);
    clock.nowMs += 1_000;
    const again = await second.claimNotifications(ALL);
    expect(again.map(({ eventId }) => eventId).toSorted()).toEqual(claims.map(({ eventId }) => eventId).toSorted());
    const [first] = again;
    if (!first) throw new Error('nothing was claimed');
    await store.reportDelivery(first.eventId, first.tries - 1, DONE);
    expect(await store.countNotifications()).toMatchObject({ pending: 12, dead: 0 });
    await second.reportDelivery(first.eventId, first.tries, DONE);
    expect(await store.countNotifications()).toMatchObject({ pending: 11 });
    await store.pruneNotifications(clock.nowMs + 1);
    await second.close();
  });

  test('people are reminded once before a gate expires, whoever finds it due', async () => {
    const { store, another, clock } = subject();
    const run = await startRun(store);
    const gate = await store.createGate(newGate(run));
    await store.claimNotifications(ALL);
    expect(await store.remindOfGates(10)).toBe(0);
    clock.nowMs = gate.expiresAtMs - 1;
    const second = await another();
    const reminded = await Promise.all([store.remindOfGates(10), second.remindOfGates(10)]);
    expect(reminded.toSorted()).toEqual([0, 1]);
    expect(await store.remindOfGates(10)).toBe(0);
    await second.close();
    expect((await store.claimNotifications(ALL)).filter(({ event }) => event === 'gateReminder')).toHaveLength(1);
  });

  test('an erased run leaves no notification', async () => {
    const { store } = subject();
    const run = await startRun(store);
    await store.createGate(newGate(run));
    await store.eraseRun(run, DATA_CLASSES);
    expect(await store.claimNotifications(ALL)).toEqual([]);
  });
}
