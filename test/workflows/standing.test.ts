import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WorkflowHandle } from '@temporalio/client';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { createAgentClient } from '../../client/agent-client.ts';
import { decideAll } from '../../client/decision-batch.ts';
import { reportRun } from '../../client/run-report.ts';
import { createStandingDoor, type StandingDoor, type StandingRequest } from '../../client/standing-door.ts';
import type { DecisionAnswer, GatePolicy, Verdict } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const AMOUNTS = [20, 30, 40] as const;
const pay = (amount: number) => ({ name: 'pay', arguments: { to: 'C-17', amount, note: `about ${amount}` } });
const scenarios = [
  ...AMOUNTS.map((amount) => ({ id: `pay${amount}`, match: { system: `PAY${amount}` }, turns: [{ toolCalls: [pay(amount)] }, { text: `paid ${amount}` }] })),
  { id: 'again', match: { system: 'AGAIN' }, turns: [{ toolCalls: [pay(20)] }, { toolCalls: [pay(20)] }, { text: 'paid again' }] },
];
const stage = new Stage({ TOLLGATE_ALLOW_UNSIGNED: '0' });
beforeAll(() => stage.open({ scenarios }));
afterAll(() => stage.close());

const tools = async (gate?: Partial<GatePolicy>) => {
  const lines = [...AMOUNTS, 20].map((amount) => ({ name: 'pay', arguments: pay(amount).arguments, result: `paid ${amount}` }));
  const [tool] = await recordedTools(stage, { pay: 'irreversible' }, lines);
  return [{ ...tool, gate: { role: 'lead', ...gate } }] as never;
};
let started = 0;
const start = async (prompt: string, gate?: Partial<GatePolicy>) => {
  started += 1;
  const id = `${prompt.toLowerCase()}-${started}`;
  return stage.start({ prompt, tools: await tools(gate) }, { id });
};

/** The door of one person, over a store that the API would use. */
async function doorOf(name: string, roles: readonly string[], home = stage.folder): Promise<StandingDoor> {
  const { signer } = await openLocalKey(home);
  return createStandingDoor({
    openStore: async () => stage.store,
    signer: async () => signer,
    identity: () => ({ name, roles }),
    scrub: async (text) => text,
    policiesOf: async () => [],
  });
}

const soon = (inMs = 3_600_000) => new Date(Date.now() + inMs).toISOString();
const terms = (change: Partial<StandingRequest> = {}): StandingRequest => ({
  tool: 'pay',
  tenant: 'acme',
  conditions: [
    { argument: 'to', op: 'eq', value: 'C-17' },
    { argument: 'amount', op: 'atMost', value: 50 },
  ],
  free: ['note'],
  maxUses: 2,
  total: { argument: 'amount', atMost: 60 },
  until: soon(),
  ...change,
});

async function decide(handle: WorkflowHandle, gate: GateRecord, verdict: Verdict, approver: string, roles: readonly string[]): Promise<DecisionAnswer> {
  const { signer } = await openLocalKey(stage.folder);
  const { approvalId, actionDigest, runKey } = gate;
  const expiresAtMs = Date.now() + 600_000;
  const signedDecision = signer.sign({
    version: 1,
    ...runKey,
    approvalId,
    actionDigest,
    verdict,
    approver,
    roles: [...roles],
    nonce: crypto.randomUUID(),
    expiresAtMs,
  });
  return handle.executeUpdate<DecisionAnswer, [unknown]>('decideApproval', { args: [{ approvalId, actionDigest, verdict, signedDecision }] });
}

const paid = async (handle: WorkflowHandle) => (await stage.store.listToolCalls((await stage.run(handle.workflowId)).runKey)).length;
const gatesOf = async (handle: WorkflowHandle) => stage.store.listGates({ runKey: (await stage.run(handle.workflowId)).runKey, limit: 9 });
/** Why Temporal tries an activity of the run again, once it does. */
const heldWhy = (handle: WorkflowHandle) =>
  waitFor('an activity that is held', async () => {
    const { pendingActivities } = (await handle.describe()).raw;
    return pendingActivities?.map(({ lastFailure }) => lastFailure?.message ?? '').find((message) => message.includes('Stopped by'));
  });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a stop switch', () => {
  test('holds an approved action, says who threw it and why, is not lifted by a row, and lets the action go on when it is', { timeout: 60_000 }, async () => {
    const [alice, bob] = [await doorOf('alice', ['lead']), await doorOf('bob', [])];
    const { stopId } = await alice.throwStop({ tool: 'pay', reason: 'it pays twice' });
    const handle = await start('PAY20');
    const gate = await stage.openGate(handle);
    expect(await decide(handle, gate, 'approve', 'carol', ['lead'])).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await heldWhy(handle)).toMatch(/Stopped by alice at .*\(tool pay\): it pays twice/);
    const shown = await reportRun(stage.store, await stage.run(handle.workflowId));
    expect(shown.gates).toMatchObject([{ status: 'approved', stopped: [{ stopId, by: 'alice', reason: 'it pays twice' }] }]);

    await stage.store.liftStop(stopId, { signed: 'x.y', actor: 'mallory', reason: 'ha', atMs: Date.now() });
    const stranger = await doorOf('mallory', ['*'], `${stage.folder}/elsewhere`);
    await stranger.liftStop(stopId, 'signed with a key of my own');
    await pause(5_000);
    expect(await paid(handle)).toBe(0);

    await bob.liftStop(stopId, 'fixed');
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid 20' });
    expect(await paid(handle)).toBe(1);
    expect((await stage.store.listAudit({ limit: 1_000 })).filter(({ type }) => type.startsWith('stop.')).map(({ type, actor }) => [type, actor])).toEqual([
      ['stop.thrown', 'alice'],
      ['stop.lifted', 'mallory'],
      ['stop.lifted', 'mallory'],
      ['stop.lifted', 'bob'],
    ]);
  });

  test('of a tenant holds model calls too where it says so, and nothing is sent or billed meanwhile', { timeout: 60_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { stopId } = await alice.throwStop({ tenant: 'acme', models: true, reason: 'runaway' });
    const handle = await start('PAY20');
    expect(await heldWhy(handle)).toMatch(/tenant acme, model calls too/);
    expect(await stage.store.listAttempts((await stage.run(handle.workflowId)).runKey)).toEqual([]);
    expect(await stage.bill(handle.workflowId)).toBe(0);
    expect(await reportRun(stage.store, await stage.run(handle.workflowId))).toMatchObject({ stopped: [{ stopId, by: 'alice' }] });
    await alice.liftStop(stopId, 'fixed');
    await stage.openGate(handle);
    await handle.terminate();
  });

  test('of another task holds nothing here', { timeout: 60_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { stopId } = await alice.throwStop({ task: 'other', reason: 'not this one' });
    const handle = await start('PAY20');
    await decide(handle, await stage.openGate(handle), 'approve', 'carol', ['lead']);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    await alice.liftStop(stopId, 'done');
  });
});

describe('a standing approval', () => {
  test('lets actions it covers run without a person, and never more than its count and total', { timeout: 120_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { standingId } = await alice.grantStanding(terms());
    const first = await start('PAY40');
    expect(await first.result()).toMatchObject({ status: 'completed', output: 'paid 40' });
    expect(await gatesOf(first)).toMatchObject([{ status: 'consumed', votes: [], standing: { standingId, grantedBy: ['alice'] } }]);
    // 40 and 30 are more than 60 in all: a person is asked.
    const second = await start('PAY30');
    await stage.openGate(second);
    const third = await start('PAY20');
    expect(await third.result()).toMatchObject({ status: 'completed', output: 'paid 20' });
    const fourth = await start('PAY20');
    await stage.openGate(fourth);
    expect(await alice.standing(standingId)).toMatchObject({ uses: 2, used: 60, status: 'usedUp' });
    const types = (await stage.store.listAudit({ runKey: (await stage.run(first.workflowId)).runKey, limit: 50 })).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['gate.opened', 'gate.approvedByStanding', 'standing.used']));
    await Promise.all([second.terminate(), fourth.terminate()]);
  });

  test('does not count where it was signed with another key, by somebody without the role, for other terms, or where the policy forbids it', {
    timeout: 120_000,
  }, async () => {
    await (await doorOf('mallory', ['lead'], `${stage.folder}/elsewhere`)).grantStanding(terms({ maxUses: 100 }));
    await (await doorOf('eve', ['intern'])).grantStanding(terms({ maxUses: 100 }));
    const mine = await (await doorOf('alice', ['lead'])).grantStanding(terms({ maxUses: 1, total: { argument: 'amount', atMost: 1 } }));
    const state = await stage.store.getStanding(mine.standingId);
    if (!state) throw new Error('it was granted');
    // The same signed grant under terms that somebody else wrote, and under an id of its own.
    const wider = { ...state.record.terms, maxUses: 100, total: { argument: 'amount', atMost: 1_000 } };
    await stage.store.createStanding({ ...state.record, standingId: 'planted', terms: wider }, 'mallory');
    await stage.store.createStanding({ ...state.record, standingId: 'planted-too' }, 'mallory');
    const asked = await start('PAY20');
    await stage.openGate(asked);
    await asked.terminate();

    const good = await (await doorOf('alice', ['lead'])).grantStanding(terms({ maxUses: 100, total: { argument: 'amount', atMost: 1_000 } }));
    const [forbidden, alone] = [await start('PAY20', { standing: false }), await start('PAY20', { approvers: 2 })];
    await stage.openGate(forbidden);
    await stage.openGate(alone);
    await (await doorOf('bob', ['lead'])).signStanding(good.standingId, { termsDigest: good.termsDigest });
    expect(await (await start('PAY20', { approvers: 2 })).result()).toMatchObject({ status: 'completed' });
    await Promise.all([forbidden.terminate(), alone.terminate()]);
    await (await doorOf('alice', ['lead'])).revokeStanding(good.standingId, 'no more');
    const revoked = await start('PAY20');
    await stage.openGate(revoked);
    await revoked.terminate();
  });

  test('that is revoked or used up between the gate and the action lets nothing run: people are asked, once', { timeout: 60_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { standingId } = await alice.grantStanding(terms({ maxUses: 1 }));
    const { stopId } = await alice.throwStop({ tool: 'pay', reason: 'wait' });
    const handle = await start('PAY20');
    await heldWhy(handle);
    await alice.revokeStanding(standingId, 'no more');
    await alice.liftStop(stopId, 'go on');
    const gate = await stage.openGate(handle);
    expect(gate.standing).toBeUndefined();
    expect(await paid(handle)).toBe(0);
    expect((await gatesOf(handle)).map(({ status }) => status)).toEqual(['superseded', 'open']);
    await decide(handle, gate, 'approve', 'carol', ['lead']);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  test('is never used more often than it may by runs that come at once', { timeout: 120_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { standingId } = await alice.grantStanding(terms({ maxUses: 3, total: { argument: 'amount', atMost: 1_000 } }));
    const handles = await Promise.all(Array.from({ length: 8 }, () => start('PAY20')));
    await waitFor('every run to be done or to ask', async () => {
      const states = await Promise.all(handles.map(async (handle) => (await stage.store.latestRun(handle.workflowId as never))?.status));
      return states.every((status) => status === 'completed' || status === 'awaitingApproval');
    });
    const calls = await Promise.all(handles.map(paid));
    expect(calls.reduce((sum, count) => sum + count, 0)).toBe(3);
    expect(await alice.standing(standingId)).toMatchObject({ uses: 3, used: 60 });
    await Promise.all(handles.map((handle) => handle.terminate().catch(() => undefined)));
  });

  test('does not cover what the run has done before', { timeout: 60_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { standingId } = await alice.grantStanding(terms({ maxUses: 10 }));
    const handle = await start('AGAIN');
    const gate = await stage.openGate(handle);
    expect(gate).toMatchObject({ occurrence: 1 });
    expect(await paid(handle)).toBe(1);
    await handle.terminate();
    await alice.revokeStanding(standingId, 'done');
  });
});

describe('a delegation', () => {
  test('lets somebody decide for one who is away, within its time and role, and shows both', { timeout: 120_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const handle = await start('PAY20', { approvers: 2 });
    const gate = await stage.openGate(handle);
    expect(await decide(handle, gate, 'approve', 'bob', ['intern'])).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    await alice.delegate({ to: 'bob', role: 'lead', tenant: 'globex', until: soon() });
    await alice.delegate({ to: 'bob', role: 'lead', from: soon(60_000), until: soon() });
    await (await doorOf('mallory', ['lead'], `${stage.folder}/elsewhere`)).delegate({ to: 'bob', role: 'lead', until: soon() });
    expect(await decide(handle, gate, 'approve', 'bob', ['intern'])).toMatchObject({ type: 'refused', reason: 'wrongRole' });

    const { delegationId } = await alice.delegate({ to: 'bob', role: 'lead', until: soon() });
    expect(await decide(handle, gate, 'approve', 'bob', ['intern'])).toMatchObject({ type: 'accepted', gateStatus: 'open' });
    // One person, one vote, on both sides.
    expect(await decide(handle, gate, 'approve', 'alice', ['lead'])).toMatchObject({ type: 'refused', reason: 'alreadyVoted' });
    expect((await stage.store.getGate(gate.runKey, gate.approvalId))?.votes).toMatchObject([{ approver: 'bob', onBehalfOf: 'alice' }]);
    expect(await decide(handle, gate, 'approve', 'carol', ['lead'])).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid 20' });
    await alice.revokeDelegation(delegationId, 'back');
  });

  test('that is revoked before the action takes its vote along', { timeout: 60_000 }, async () => {
    const alice = await doorOf('alice', ['lead']);
    const { delegationId } = await alice.delegate({ to: 'bob', role: 'lead', until: soon() });
    const { stopId } = await alice.throwStop({ tool: 'pay', reason: 'wait' });
    const handle = await start('PAY20');
    const gate = await stage.openGate(handle);
    expect(await decide(handle, gate, 'approve', 'bob', [])).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    await heldWhy(handle);
    await alice.revokeDelegation(delegationId, 'it was not me');
    await alice.liftStop(stopId, 'go on');
    const next = await stage.openGate(handle);
    expect(next.approvalId).not.toBe(gate.approvalId);
    expect(await paid(handle)).toBe(0);
    await handle.terminate();
  });
});

describe('a batch', () => {
  test('decides each gate by its own digest, and answers for each', { timeout: 60_000 }, async () => {
    const handles = await Promise.all([start('PAY20'), start('PAY30'), start('PAY40')]);
    const gates = await Promise.all(handles.map((handle) => stage.openGate(handle)));
    const { signer } = await openLocalKey(stage.folder);
    const client = createAgentClient({
      client: stage.client,
      store: stage.store,
      identity: { name: 'alice', roles: ['lead'] },
      signer,
      redaction: () => Promise.reject(new Error('nothing is said')),
    });
    const decisions = gates.map(({ approvalId, actionDigest }, index) => ({
      approvalId,
      actionDigest: index === 1 ? (gates[0]?.actionDigest ?? '') : actionDigest,
    }));
    const answers = await decideAll(client, { verdict: 'approve', decisions });
    expect(answers.map(({ approvalId, answer }) => [approvalId, answer.type === 'refused' ? answer.reason : answer.type])).toEqual([
      [gates[0]?.approvalId, 'accepted'],
      [gates[1]?.approvalId, 'wrongDigest'],
      [gates[2]?.approvalId, 'accepted'],
    ]);
    expect(await handles[0]?.result()).toMatchObject({ output: 'paid 20' });
    expect(await handles[2]?.result()).toMatchObject({ output: 'paid 40' });
    expect(await paid(handles[1] as WorkflowHandle)).toBe(0);
    await handles[1]?.terminate();
  });
});
