import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DecisionAnswer, Verdict } from '../../contracts/approval.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { signDecision } from '../support/sign-decision.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const ASKED = { to: 'bob', amount: 900 };
const EDITED = { to: 'bob', amount: 40 };
const scenarios = [{ id: 'pay', match: { system: 'PAY' }, turns: [{ toolCalls: [{ name: 'pay', arguments: ASKED }] }, { text: 'paid' }] }];
const stage = new Stage({ TOLLGATE_UNSIGNED_SIGNALS: 'refuse' });
beforeAll(() => stage.open({ scenarios }));
afterAll(() => stage.close());

const lines = [ASKED, EDITED].map((args) => ({ name: 'pay', arguments: args, result: `paid ${args.amount}` }));
const PARAMETERS = {
  type: 'object',
  properties: { to: { type: 'string' }, amount: { type: 'number', maximum: 5_000 } },
  required: ['to', 'amount'],
  additionalProperties: false,
};

/** Starts a run that asks to pay 900 under this policy. */
async function startPaying(id: string, policy: object, more: object = {}): Promise<WorkflowHandle> {
  const [pay] = await recordedTools(stage, { pay: 'irreversible' }, lines);
  const tools = [{ ...pay, parameters: PARAMETERS }];
  return await stage.start({ prompt: 'PAY', tools, gates: { irreversible: policy }, ...more } as never, { id });
}

interface Person {
  readonly approver: string;
  readonly roles: readonly string[];
}
const [alice, bob, carol] = ['alice', 'bob', 'carol'].map((approver) => ({ approver, roles: ['lead'] })) as unknown as [Person, Person, Person];
const fred: Person = { approver: 'fred', roles: ['finance'] };

async function decide(handle: WorkflowHandle, gate: GateRecord, verdict: Verdict, { approver, roles }: Person, args?: JsonObject): Promise<DecisionAnswer> {
  const { approvalId, actionDigest } = gate;
  const signedDecision = await signDecision(stage.folder, gate, { verdict, approver, roles: [...roles], ...(args ? { arguments: args } : {}) });
  return await handle.executeUpdate('decideApproval', { args: [{ approvalId, actionDigest, verdict, signedDecision }] });
}

const paid = async ({ runKey }: GateRecord) => (await stage.store.listToolCalls(runKey)).map(({ result }) => result);
const audited = async ({ runKey }: GateRecord) => (await stage.store.listAudit({ runKey, limit: 200 })).map(({ type }) => type);
const current = async ({ runKey, approvalId }: GateRecord) => (await stage.store.getGate(runKey, approvalId)) as GateRecord;

describe('an edit', () => {
  const RULES = { role: 'lead', requesterMayDecide: false, rules: [{ when: { arguments: [{ path: 'amount', operator: '>', value: 100 }] }, approvers: 2 }] };

  test('makes another digest and another policy, voids the votes so far, and the edited bytes are what runs', async () => {
    const handle = await startPaying('edited', RULES);
    const gate = await stage.openGate(handle);
    expect(gate.policy).toMatchObject({ approvers: 2, role: 'lead' });
    expect(await decide(handle, gate, 'approve', alice)).toMatchObject({ type: 'accepted', gateStatus: 'open' });

    const edited = await decide(handle, gate, 'edit', bob, EDITED);
    expect(edited).toMatchObject({ type: 'accepted', gateStatus: 'open', edited: { editorMayDecide: false } });
    const asks = await current(gate);
    expect(asks).toMatchObject({
      arguments: EDITED,
      policy: { approvers: 1 },
      votes: [],
      edits: [{ editor: 'bob', fromArguments: ASKED, fromDigest: gate.actionDigest }],
    });
    expect(asks.actionDigest).not.toBe(gate.actionDigest);

    await expect(decide(handle, gate, 'approve', carol)).rejects.toMatchObject({ cause: { type: 'wrongDigest' } });
    expect(await decide(handle, asks, 'approve', bob)).toMatchObject({ type: 'refused', reason: 'requesterMayNotDecide' });
    expect(await paid(gate)).toEqual([]);
    expect(await decide(handle, asks, 'approve', alice)).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect(await paid(gate)).toEqual(['paid 40']);
    const call = (await stage.store.listToolCalls(gate.runKey))[0];
    const told = await stage.store.loadTranscript(gate.runKey, { attemptId: gate.attemptId, nodeIds: [String(call?.callKey)] });
    expect(JSON.stringify(told)).toMatch(/A person changed the arguments.*\\"amount\\":40/);
  });

  test('is refused where it breaks the schema, changes nothing, is not the right person’s, or goes beyond their limit', async () => {
    const limits = [{ role: 'lead', when: [{ path: 'amount', operator: '<=', value: 1_000 }] }];
    const handle = await startPaying('bad-edits', { ...RULES, limits });
    const gate = await stage.openGate(handle);
    const refusals = [
      [bob, { to: 'bob' }, 'invalidEdit'],
      [bob, { ...EDITED, also: 1 }, 'invalidEdit'],
      [bob, ASKED, 'invalidEdit'],
      [fred, EDITED, 'wrongRole'],
      [bob, { to: 'bob', amount: 1_001 }, 'overLimit'],
    ] as const;
    for (const [who, args, reason] of refusals) expect(await decide(handle, gate, 'edit', who, args), reason).toMatchObject({ type: 'refused', reason });
    expect(await current(gate)).toMatchObject({ actionDigest: gate.actionDigest, arguments: ASKED, status: 'open' });
    expect((await current(gate)).edits).toBeUndefined();
    await handle.terminate();
  });

  test('keeps what redaction hides hidden: a new address is a token in the gate, the history and the store', async () => {
    const handle = await startPaying('hidden-edit', { role: 'lead' });
    const gate = await stage.openGate(handle);
    expect(await decide(handle, gate, 'edit', bob, { to: 'eve@example.com', amount: 40 })).toMatchObject({ type: 'accepted' });
    expect((await current(gate)).arguments).toEqual({ to: '⟦email:1⟧', amount: 40 });
    await handle.terminate();
  });
});

test('rules look at the tenant and the arguments; what is only tried out is in the audit and asks nobody more', async () => {
  const tried = { when: { arguments: [{ path: 'amount', operator: '>=', value: 900 }] }, needs: [{ role: 'finance', approvers: 1 }], shadow: true };
  const handle = await startPaying('tried-rule', { role: 'lead', rules: [tried, { when: { tenant: 'nobody' }, approvers: 9 }] });
  const gate = await stage.openGate(handle);
  expect(gate.policy).toEqual({ approvers: 1, role: 'lead', expiresAfterMs: 86_400_000, approvalValidForMs: 86_400_000 });
  const audit = await stage.store.listAudit({ runKey: gate.runKey, limit: 50 });
  expect(audit.find(({ type }) => type === 'gate.shadowed')?.data).toMatchObject({ wouldAsk: { needs: [{ role: 'finance' }] }, asked: { approvers: 1 } });
  expect(await decide(handle, gate, 'approve', bob)).toMatchObject({ gateStatus: 'approved' });
  expect(await handle.result()).toMatchObject({ status: 'completed' });
});

test('a quorum of two roles takes a person of each, and one who holds both counts once', async () => {
  const handle = await startPaying('two-roles', { role: 'lead', needs: [{ role: 'finance', approvers: 1 }] });
  const gate = await stage.openGate(handle);
  const both: Person = { approver: 'both', roles: ['lead', 'finance'] };
  expect(await decide(handle, gate, 'approve', both)).toMatchObject({ gateStatus: 'open' });
  expect(await decide(handle, gate, 'approve', both)).toMatchObject({ gateStatus: 'open' });
  expect(await decide(handle, gate, 'approve', alice)).toMatchObject({ gateStatus: 'approved' });
  expect(await handle.result()).toMatchObject({ status: 'completed' });
  expect(await paid(gate)).toEqual(['paid 900']);
});

test('a gate nobody decides is reminded of and escalated once each, and the other role decides from then on', async () => {
  const policy = { role: 'lead', expiresAfterMs: 60_000, remindBeforeMs: 58_500, escalateTo: { role: 'finance', afterMs: 2_500 } };
  const handle = await startPaying('escalated', policy);
  const gate = await stage.openGate(handle);
  expect(await decide(handle, gate, 'approve', fred)).toMatchObject({ type: 'refused', reason: 'wrongRole' });
  await waitFor('the escalation', async () => (await current(gate)).escalatedAtMs !== undefined);
  const moments = (await audited(gate)).filter((type) => type === 'gate.reminded' || type === 'gate.escalated');
  expect(moments).toEqual(['gate.reminded', 'gate.escalated']);
  expect(await decide(handle, gate, 'approve', fred)).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
  expect(await handle.result()).toMatchObject({ status: 'completed' });
  expect(await paid(gate)).toEqual(['paid 900']);
});

test('an escalated gate that nobody decides still expires, and expiry denies', async () => {
  const handle = await startPaying('escalated-expired', { expiresAfterMs: 2_500, escalateTo: { role: 'finance', afterMs: 1_000 } }, { onExpired: 'endRun' });
  const gate = await stage.openGate(handle);
  expect(await handle.result()).toMatchObject({ status: 'expired' });
  expect(await current(gate)).toMatchObject({ status: 'expired', escalatedAtMs: expect.any(Number) });
  expect(await paid(gate)).toEqual([]);
});

test('an open gate, edited meanwhile, and its moments outlive a worker that is killed', async () => {
  const handle = await startPaying('restarted', { role: 'lead', escalateTo: { role: 'finance', afterMs: 6_000 } });
  const gate = await stage.openGate(handle);
  expect(await decide(handle, gate, 'edit', alice, EDITED)).toMatchObject({ type: 'accepted' });
  await stage.kill(stage.workers[0] as never);
  await stage.startWorker();
  const asks = await current(gate);
  await waitFor('the escalation', async () => (await current(gate)).escalatedAtMs !== undefined);
  expect(await decide(handle, asks, 'approve', fred)).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
  expect(await handle.result()).toMatchObject({ status: 'completed' });
  expect(await paid(gate)).toEqual(['paid 40']);
});
