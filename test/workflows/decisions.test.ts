import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunStatusView } from '../../contracts/agent-run.ts';
import type { DecisionAnswer, Verdict } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { signDecision } from '../support/sign-decision.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const call = (name: string, args: Record<string, string>) => ({ name, arguments: args });
const scenarios = [
  { id: 'pay', match: { system: 'PAY' }, turns: [{ toolCalls: [call('pay', { to: 'bob' })] }, { text: 'paid' }] },
  {
    id: 'both',
    match: { system: 'BOTH' },
    turns: [{ toolCalls: [call('pay', { to: 'bob' }), call('pay', { to: 'eve' })] }, { text: 'paid both' }],
  },
  {
    id: 'moves',
    match: { system: 'MOVES' },
    turns: [
      { toolCalls: [call('move', { to: 'X' })] },
      { toolCalls: [call('move', { to: 'Y' })] },
      { toolCalls: [call('move', { to: 'X' })] },
      { text: 'moved' },
    ],
  },
];
const stage = new Stage({ TOLLGATE_UNSIGNED_SIGNALS: 'refuse' });
beforeAll(() => stage.open({ scenarios }));
afterAll(() => stage.close());

const lines = [
  ...['bob', 'eve'].map((to) => ({ name: 'pay', arguments: { to }, result: `paid ${to}` })),
  ...['X', 'Y', 'X'].map((to) => ({ name: 'move', arguments: { to }, result: { at: to } })),
];
const tools = () => recordedTools(stage, { pay: 'irreversible', move: 'write' }, lines) as never;

async function signed(gate: GateRecord, verdict: Verdict, person = { approver: 'alice', roles: ['lead'] }) {
  const { approvalId, actionDigest } = gate;
  const signedDecision = await signDecision(stage.folder, gate, { verdict, ...person });
  return { approvalId, actionDigest, verdict, signedDecision };
}

describe('signed decisions', () => {
  test('an unsigned signal does not count where the configuration does not allow it, and is audited', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: await tools() }, { id: 'unsigned' });
    const gate = await stage.openGate(handle);
    const answer = await handle.executeUpdate<DecisionAnswer, [unknown]>('decideApproval', {
      args: [{ approvalId: gate.approvalId, actionDigest: gate.actionDigest, verdict: 'approve' }],
    });
    expect(answer).toMatchObject({ type: 'refused', reason: 'unsignedNotAllowed' });
    const audit = await stage.store.listAudit({ runKey: gate.runKey, limit: 50 });
    expect(audit.some((entry) => entry.type === 'decision.refused')).toBe(true);
    await handle.terminate();
  });

  test('wrong role, a decision signed for another verdict, and a foreign key are refused; the right person is accepted', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: await tools() }, { id: 'refused' });
    const gate = await stage.openGate(handle);
    const decide = (request: unknown) => handle.executeUpdate<DecisionAnswer, [unknown]>('decideApproval', { args: [request] });
    expect(await decide(await signed(gate, 'approve', { approver: 'eve', roles: ['intern'] }))).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(await decide({ ...(await signed(gate, 'deny')), verdict: 'approve' })).toMatchObject({ type: 'refused', reason: 'badSignature' });
    const forged = await signDecision(join(stage.folder, 'elsewhere'), gate);
    expect(await decide({ approvalId: gate.approvalId, actionDigest: gate.actionDigest, verdict: 'approve', signedDecision: forged })).toMatchObject({
      type: 'refused',
      reason: 'badSignature',
    });
    expect(await decide(await signed(gate, 'approve'))).toMatchObject({ type: 'accepted' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect((await stage.store.listToolCalls(gate.runKey)).filter((row) => row.tool === 'pay')).toHaveLength(1);
  });

  test('approve, withdraw, approve again: a withdrawn approval lets nothing run, the renewed one does, once', async () => {
    const handle = await stage.start({ prompt: 'BOTH', tools: await tools() }, { id: 'withdraw' });
    const { runKey } = await stage.openGate(handle);
    const gates = await waitFor('both gates', async () => {
      const open = await stage.store.listGates({ runKey, status: 'open', limit: 9 });
      // The store has a gate before the run waits at it.
      const view = (await handle.query('getRunStatus')) as RunStatusView;
      return open.length === 2 && view.gates.length === 2 && open;
    });
    const [first, second] = ['bob', 'eve'].map((to) => gates.find((gate) => (gate.arguments as { to: string }).to === to)) as [GateRecord, GateRecord];
    const decide = async (gate: GateRecord, verdict: Verdict) =>
      handle.executeUpdate<DecisionAnswer, [unknown]>('decideApproval', { args: [await signed(gate, verdict)] });
    const paid = async () => (await stage.store.listToolCalls(runKey)).map((row) => row.result);

    // Actions run in the order planned, so the second waits for the first however soon it is approved.
    expect(await decide(second, 'approve')).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await decide(second, 'withdraw')).toMatchObject({ type: 'accepted', gateStatus: 'open' });
    expect(await decide(first, 'approve')).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    await waitFor('the first action', async () => (await paid()).length === 1);
    expect(await stage.store.getGate(runKey, second.approvalId)).toMatchObject({ status: 'open' });
    expect(await decide(second, 'approve')).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid both' });
    expect(await paid()).toEqual(['paid bob', 'paid eve']);
  });

  test('an approval written into the store by hand does not let the action run: it is asked for anew', async () => {
    const handle = await stage.start({ prompt: 'PAY', tools: await tools() }, { id: 'forged' });
    const gate = await stage.openGate(handle);
    const forged = {
      approver: 'mallory',
      roles: ['lead'],
      verdict: 'approve' as const,
      unverified: false,
      comment: null,
      atMs: Date.now(),
      signedDecision: 'x.y',
    };
    await stage.store.decideGate(
      gate.runKey,
      gate.approvalId,
      (row, nowMs) => ({
        gate: { ...row, votes: [forged], status: 'approved', decidedAtMs: nowMs },
        answer: { type: 'accepted', gateStatus: 'approved', message: '' },
      }),
      () => ({ type: 'test', runKey: gate.runKey, actor: 'test', data: {} }),
    );
    // A refused decision makes the run look at the gate again, which the store now calls approved.
    await handle.executeUpdate('decideApproval', { args: [await signed(gate, 'deny', { approver: 'eve', roles: ['intern'] })] });
    const next = await stage.openGate(handle);
    expect(next.approvalId).not.toBe(gate.approvalId);
    expect((await stage.store.listToolCalls(gate.runKey)).filter((row) => row.tool === 'pay')).toEqual([]);
    await handle.terminate();
  });
});

test('an address set to X, then Y, then X is set three times', async () => {
  const handle = await stage.start({ prompt: 'MOVES', tools: await tools() }, { id: 'moves' });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'moved' });
  const moves = (await stage.store.listToolCalls((await stage.run('moves')).runKey)).map((row) => [row.result, row.idempotencyKey] as const);
  expect(moves.map(([result]) => result)).toEqual([{ at: 'X' }, { at: 'Y' }, { at: 'X' }]);
  expect(new Set(moves.map(([, key]) => key)).size).toBe(3);
});

describe('bad input at the command line', () => {
  const cli = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, ['client/cli/bin.mjs', ...args], { env: { ...stage.environment, ...env }, encoding: 'utf8', timeout: 30_000 });
  const input = () => {
    const path = join(stage.folder, 'input.json');
    writeFileSync(path, JSON.stringify({ message: 'hello' }));
    return path;
  };

  test.each([
    ['an unknown task', () => ['run', 'no-such-task', '--input', input()], {}, /no-such-task/],
    ['an input that is no JSON', () => ['run', 'customer-support', '--input', 'package.json.missing'], {}, /package\.json\.missing/],
    ['no key', () => ['run', 'customer-support', '--input', input()], { TOLLGATE_SIMULATED_URL: '', OPENAI_API_KEY: '' }, /OPENAI_API_KEY/],
    ['an unreachable Temporal', () => ['run', 'customer-support', '--input', input()], { TEMPORAL_ADDRESS: '127.0.0.1:9' }, /127\.0\.0\.1:9/],
    ['an approval without its digest', () => ['approve', 'some-gate'], {}, /--digest/],
    [
      'a store that is full',
      () => ['run', 'customer-support', '--input', input()],
      { TOLLGATE_STORE_MAX_PAGES: '16' },
      /store.*full.*TOLLGATE_STORE_MAX_PAGES/is,
    ],
    ['a setting of the wrong shape', () => ['runs', 'list'], { TEMPORAL_ADDRESS: 'nonsense', TOLLGATE_AS: 'x' }, /TOLLGATE_AS/],
  ] as const)('%s: a clear error, exit code 2, no stack trace', (_name, args, env, message) => {
    const { status, stderr } = cli(args(), env);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at .*\(/);
    expect(status).toBe(2);
  });

  test('an unpriced model under a budget is refused before anything starts', async () => {
    const folder = join(stage.folder, 'unpriced');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'policy.md'), 'You help.');
    writeFileSync(join(folder, 'task.yaml'), 'name: unpriced\nprompt: ./policy.md\nmodels: [no-such-model-9]\nmaxOutputTokens: 100\nbudgetUsd: 0.1\n');
    const { status, stderr } = cli(['run', folder, '--input', input(), '--id', 'unpriced']);
    expect(stderr).toMatch(/no-such-model-9.*price/s);
    expect(status).toBe(2);
    expect(await stage.store.latestRun('unpriced' as never)).toBeNull();
  });
});
