import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { RunKey } from '../../../contracts/ids.ts';
import type { Delegation, StandingTerms, StopScope } from '../../../contracts/statement.ts';
import type { ActionFacts, ActionPermission } from '../../../domain/approval/action-facts.ts';
import { microAmount } from '../../../domain/approval/amount.ts';
import type { StandingRecord } from '../../../domain/approval/standing.ts';
import { type StopRecord, stopOver } from '../../../domain/approval/stop.ts';
import type { ConsumeResult, Store } from '../../../domain/store/port.ts';
import { seededRandom } from '../seeded-random.ts';
import type { Subject } from '../store-contract.ts';
import { approvedGate, auditNotes, newToolCall, startRun } from './fixtures.ts';

const NOW = 1_800_000_000_000;

export function newStanding(change: Partial<StandingTerms> = {}): StandingRecord {
  const terms: StandingTerms = {
    tool: 'refund',
    tenant: 'acme',
    conditions: [{ argument: 'order', op: 'eq', value: 'W1' }],
    free: ['note'],
    maxUses: 3,
    total: { argument: 'amount', atMost: 100 },
    untilMs: NOW + 60_000,
    ...change,
  };
  return { standingId: randomUUID(), terms, grants: ['body.signature'], createdAtMs: NOW };
}

export function newStop(scope: Partial<StopScope>, change: Partial<StopRecord> = {}): StopRecord {
  const whole = { tool: null, task: null, tenant: null, ...scope };
  return {
    stopId: randomUUID(),
    scope: whole,
    models: false,
    reason: 'it pays twice',
    actor: 'alice',
    signed: 'body.signature',
    thrownAtMs: NOW,
    resume: null,
    ...change,
  };
}

export function newDelegation(change: Partial<Delegation> = {}): Delegation {
  return {
    version: 1,
    statement: 'delegation',
    delegationId: randomUUID(),
    tenant: 'acme',
    delegator: 'alice',
    roles: ['lead'],
    to: 'bob',
    role: 'lead',
    fromMs: NOW,
    untilMs: NOW + 60_000,
    issuedAtMs: NOW,
    ...change,
  };
}

/** The limits alone; signatures and terms are the domain's. */
function withinLimits(amountMicro: number) {
  return (_gate: unknown, _nowMs: number, { standing }: ActionFacts): ActionPermission => {
    const { maxUses, total } = standing?.record.terms ?? { maxUses: 0, total: undefined };
    const limitMicro = total ? (microAmount(total.atMost) ?? 0) : Number.MAX_SAFE_INTEGER;
    if (!standing || standing.isRevoked || standing.uses >= maxUses || standing.totalMicro + amountMicro > limitMicro)
      return { type: 'refused', gateStatus: 'approved', message: 'used up' };
    return { type: 'permitted', standingMicro: amountMicro };
  };
}

/** Opens a gate under a standing approval and uses it for one action. */
export async function useOnce(store: Store, runKey: RunKey, standingId: string, amount = 1): Promise<ConsumeResult> {
  const gate = await store.createGate(approvedGate(runKey, { votes: [], standing: { standingId, grantedBy: ['alice'] } }));
  const call = { ...newToolCall(runKey, { tool: 'refund', effect: 'irreversible', argumentsDigest: randomUUID() }), approvalId: gate.approvalId };
  return store.consumeApproval(call, withinLimits(microAmount(amount) ?? 0));
}

export function describeStopContract(subject: Subject): void {
  const heldBack =
    (work: { readonly task: string; readonly tenant: string }) =>
    (_gate: unknown, _nowMs: number, { stops }: ActionFacts): ActionPermission =>
      stopOver(stops, { tool: 'refund', ...work }, ({ resume }) => resume !== null) ? { type: 'stopped', message: 'stopped' } : { type: 'permitted' };

  test('an action sees every switch whose scope fits it, and no other', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const fitting = [
      newStop({ tool: 'refund' }),
      newStop({ task: 'support' }),
      newStop({ tenant: 'acme' }),
      newStop({}),
      newStop({ tool: 'refund', tenant: 'acme' }),
    ];
    const others = [newStop({ tool: 'pay' }), newStop({ task: 'sales' }), newStop({ tenant: 'globex' }), newStop({ tool: 'refund', tenant: 'globex' })];
    for (const stop of [...fitting, ...others]) await store.throwStop(stop);
    const ids = (stops: readonly StopRecord[]) => stops.map(({ stopId }) => stopId).toSorted();
    expect(ids(await store.stopsFor(key, 'refund'))).toEqual(ids(fitting));
    // A model call is of no tool.
    expect(ids(await store.stopsFor(key, null))).toEqual(ids(fitting.filter(({ scope }) => scope.tool === null)));
    expect(ids(await store.listStops(100))).toEqual(ids([...fitting, ...others]));
  });

  test('a held action consumes nothing and begins once it is lifted', async () => {
    const { store, another } = subject();
    const key = await startRun(store);
    const gate = await store.createGate(approvedGate(key));
    const call = { ...newToolCall(key, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
    const stop = newStop({ tenant: 'acme' });
    const second = await another();
    await second.throwStop(stop);
    const rule = heldBack({ task: 'support', tenant: 'acme' });
    expect(await store.consumeApproval(call, rule)).toEqual({ type: 'stopped', message: 'stopped' });
    expect((await store.getGate(key, gate.approvalId))?.status).toBe('approved');
    expect(await store.getToolCall(key, call.callKey)).toBeNull();
    await second.liftStop(stop.stopId, { signed: 'x.y', actor: 'bob', reason: 'fixed', atMs: NOW + 1 });
    expect(await store.consumeApproval(call, rule)).toMatchObject({ type: 'permitted' });
    await second.close();
  });

  test('a switch is thrown and lifted, in the audit with who and why; thrown again it holds again', async () => {
    const { store } = subject();
    const first = newStop({ tool: 'refund' });
    await store.throwStop(first);
    const resume = { signed: 'x.y', actor: 'bob', reason: 'fixed', atMs: NOW + 1 };
    expect(await store.liftStop(first.stopId, resume)).toEqual({ ...first, resume });
    expect(await store.liftStop('nobody', resume)).toBeNull();
    const again = newStop({ tool: 'refund' });
    await store.throwStop(again);
    expect(await store.listStops(10)).toEqual([again]);
    // With model calls it is a switch of its own: a weaker one does not take its place.
    await store.throwStop(newStop({ tool: 'refund' }, { models: true }));
    expect(await store.listStops(10)).toHaveLength(2);
    expect((await auditNotes(store)).map(({ type, actor }) => [type, actor])).toEqual([
      ['stop.thrown', 'alice'],
      ['stop.lifted', 'bob'],
      ['stop.thrown', 'alice'],
      ['stop.thrown', 'alice'],
    ]);
  });

  test('once a switch has been thrown, no action begins, however many are on their way', async () => {
    const { store, another } = subject();
    const key = await startRun(store);
    const second = await another();
    const rule = heldBack({ task: 'support', tenant: 'acme' });
    const begin = async (from: Store) => {
      const gate = await from.createGate(approvedGate(key));
      const call = { ...newToolCall(key, { tool: 'refund', effect: 'irreversible', argumentsDigest: randomUUID() }), approvalId: gate.approvalId };
      return from.consumeApproval(call, rule);
    };
    const early = Array.from({ length: 6 }, (_, index) => begin(index % 2 === 0 ? store : second));
    await second.throwStop(newStop({}));
    const begunBy = (await store.listToolCalls(key)).length;
    const late = await Promise.all([...Array.from({ length: 6 }, () => begin(store)), ...early]);
    expect(late.slice(0, 6).map(({ type }) => type)).toEqual(Array.from({ length: 6 }, () => 'stopped'));
    expect(await store.listToolCalls(key)).toHaveLength(begunBy);
    await second.close();
  });
}

export function describeGrantContract(subject: Subject): void {
  test('a standing approval comes back as it was granted, with what is used of it', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const record = newStanding();
    expect(await store.createStanding(record, 'alice')).toBe(true);
    expect(await store.createStanding({ ...record, grants: [] }, 'eve')).toBe(false);
    expect(await store.getStanding(record.standingId)).toEqual({ record, isRevoked: false, uses: 0, totalMicro: 0 });
    expect(await useOnce(store, key, record.standingId, 12.5)).toMatchObject({ type: 'permitted' });
    expect(await store.getStanding(record.standingId)).toEqual({ record, isRevoked: false, uses: 1, totalMicro: 12_500_000 });
    expect(await store.listStandingUses(record.standingId, 10)).toMatchObject([{ runKey: key, amountMicro: 12_500_000 }]);
    expect(await store.addStandingGrant(record.standingId, 'second.signature', 'bob')).toMatchObject({ grants: ['body.signature', 'second.signature'] });
    expect(await store.addStandingGrant(record.standingId, 'second.signature', 'bob')).toMatchObject({ grants: ['body.signature', 'second.signature'] });
    expect(await store.addStandingGrant('nobody', 'x.y', 'bob')).toBeNull();
    expect((await auditNotes(store)).map(({ type }) => type)).toEqual(['standing.granted', 'standing.used', 'standing.granted']);
  });

  test('standing approvals are listed by tenant and tool, and those that are over or revoked are not live', async () => {
    const { store, clock } = subject();
    const [live, over, revoked, foreign] = [newStanding(), newStanding({ untilMs: NOW + 1 }), newStanding(), newStanding({ tenant: 'globex' })];
    for (const record of [live, over, revoked, foreign]) await store.createStanding(record, 'alice');
    await store.revoke({ of: revoked.standingId, signed: 'x.y', actor: 'alice', reason: 'no more', atMs: NOW });
    clock.nowMs += 1;
    const listed = async (filter: object) => (await store.listStandings({ limit: 10, ...filter })).map(({ record }) => record.standingId);
    expect(await listed({ tenant: 'acme', tool: 'refund', live: true })).toEqual([live.standingId]);
    expect(await listed({ tenant: 'acme' })).toEqual([revoked.standingId, over.standingId, live.standingId]);
    expect(await listed({ tool: 'pay' })).toEqual([]);
    expect(await listed({ limit: 1 })).toEqual([foreign.standingId]);
  });

  test('what is used or taken back stays so, whoever has the store in hand', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const record = newStanding();
    await store.createStanding(record, 'alice');
    await useOnce(store, key, record.standingId);
    const revocation = { of: record.standingId, signed: 'x.y', actor: 'alice', reason: 'no more', atMs: NOW };
    await store.revoke(revocation);
    await store.revoke({ ...revocation, actor: 'eve' });
    expect(await store.listRevoked([record.standingId, 'nobody'])).toEqual([revocation]);
    expect(await store.getStanding(record.standingId)).toMatchObject({ isRevoked: true, uses: 1 });
    expect(await useOnce(store, key, record.standingId)).toMatchObject({ type: 'refused' });
  });

  test.each([1, 2, 3])('runs that use one standing approval at once never use more than it has (seed %i)', async (seed) => {
    const { store, another } = subject();
    const random = seededRandom(seed);
    const second = await another();
    const record = newStanding({ maxUses: 2 + random.below(6), total: { argument: 'amount', atMost: 10 + random.below(20) } });
    await store.createStanding(record, 'alice');
    const keys = await Promise.all([startRun(store), startRun(store), startRun(store), startRun(store)]);
    const amounts = Array.from({ length: 24 }, () => random.below(80) / 10);
    const revokesAt = seed === 3 ? 12 : -1;
    const results = await Promise.all(
      amounts.map(async (amount, index) => {
        if (index === revokesAt) await second.revoke({ of: record.standingId, signed: 'x.y', actor: 'alice', reason: 'no more', atMs: NOW });
        return useOnce(index % 2 === 0 ? store : second, keys[index % 4] as RunKey, record.standingId, amount);
      }),
    );
    const used = amounts.filter((_, index) => results[index]?.type === 'permitted');
    const state = await store.getStanding(record.standingId);
    const sum = used.reduce((total, amount) => total + (microAmount(amount) ?? 0), 0);
    expect(state).toMatchObject({ uses: used.length, totalMicro: sum });
    if (revokesAt < 0) expect(used.length).toBeGreaterThan(0);
    expect(used.length).toBeLessThanOrEqual(record.terms.maxUses);
    expect(sum).toBeLessThanOrEqual(microAmount(record.terms.total?.atMost ?? 0) ?? 0);
    await second.close();
  });

  test('an action that is tried again uses its standing approval once', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const record = newStanding();
    await store.createStanding(record, 'alice');
    const gate = await store.createGate(approvedGate(key, { votes: [], standing: { standingId: record.standingId, grantedBy: ['alice'] } }));
    const call = { ...newToolCall(key, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
    expect(await store.consumeApproval(call, withinLimits(1))).toMatchObject({ type: 'permitted' });
    expect(await store.consumeApproval(call, withinLimits(1))).toMatchObject({ type: 'exists' });
    expect(await store.getStanding(record.standingId)).toMatchObject({ uses: 1 });
  });

  test('an intent for a standing approval that is not there is not written', async () => {
    const { store } = subject();
    const key = await startRun(store);
    const gate = await store.createGate(approvedGate(key, { votes: [], standing: { standingId: 'nobody', grantedBy: [] } }));
    const call = { ...newToolCall(key, { tool: 'refund', effect: 'irreversible' }), approvalId: gate.approvalId };
    const blind = () => ({ type: 'permitted', standingMicro: 1 }) as const;
    await expect(store.consumeApproval(call, blind)).rejects.toMatchObject({ type: 'invariantBroken' });
    expect(await store.getToolCall(key, call.callKey)).toBeNull();
    expect((await store.getGate(key, gate.approvalId))?.status).toBe('approved');
  });

  test('delegations are found by the person they are for, of every tenant or of this one', async () => {
    const { store, clock } = subject();
    const [own, every, foreign, over, carol] = [
      newDelegation(),
      newDelegation({ tenant: null }),
      newDelegation({ tenant: 'globex' }),
      newDelegation({ untilMs: NOW + 1 }),
      newDelegation({ to: 'carol' }),
    ];
    for (const delegation of [own, every, foreign, over, carol]) expect(await store.createDelegation({ delegation, signed: 'x.y' })).toBe(true);
    expect(await store.createDelegation({ delegation: own, signed: 'z.y' })).toBe(false);
    clock.nowMs += 1;
    const listed = async (filter: object) => (await store.listDelegations({ limit: 10, ...filter })).map(({ delegation }) => delegation.delegationId);
    expect(await listed({ to: 'bob', tenant: 'acme', live: true })).toEqual([every.delegationId, own.delegationId]);
    await store.revoke({ of: own.delegationId, signed: 'x.y', actor: 'alice', reason: 'back', atMs: NOW });
    expect(await listed({ to: 'bob', tenant: 'acme', live: true })).toEqual([every.delegationId]);
    expect(await listed({ to: 'bob' })).toHaveLength(4);
    expect(await store.getDelegation(own.delegationId)).toEqual({ delegation: own, signed: 'x.y' });
    expect(await store.getDelegation('nobody')).toBeNull();
  });
}
