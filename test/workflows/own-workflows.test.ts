import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { actionDigestOf } from '../../activities/approval/gated-action.ts';
import { NOTHING_OPENED } from '../../domain/redaction/revealed-arguments.ts';
import type { AgentClient } from '../../client/agent-client.ts';
import { createAgentClient } from '../../client/library/main.ts';
import type { RunReport } from '../../client/run-report.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { ApprovalId, RunKey } from '../../contracts/ids.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import example from '../../examples/plan-and-merge/tollgate.config.ts';
import { Destination } from '../support/destination.ts';
import { repairRun } from '../support/repairs.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = fileURLToPath(new URL('../support/own-workflows/tollgate.config.ts', import.meta.url));
const lookUp = { toolCalls: [{ name: 'look_up', arguments: { product: 'flask' } }] };
const look = { toolCalls: [{ name: 'look', arguments: { id: 1 } }] };
const pay = { toolCalls: [{ name: 'pay', arguments: { to: 'bob' } }] };
const scenarios = [
  {
    id: 'report',
    match: { system: 'You write short reports' },
    turns: [
      { text: 'Part 1: facts. Part 2: risks.' },
      { text: 'no plan', alternatives: [{ when: { lastUserMessageIncludes: 'write the report' }, text: 'The report.' }] },
    ],
  },
  { id: 'facts', match: { system: 'You find facts' }, turns: [lookUp, { text: '1204 were sold.' }] },
  { id: 'risks', match: { system: 'You find risks' }, turns: [lookUp, { text: 'The lid leaks.' }] },
  // The second call of each is done and charged, and its answer is cut off: that money stays held.
  { id: 'spender', match: { system: 'SPENDER' }, turns: [look, { ...look, faults: [{ type: 'cutAfterWork' as const, attempt: 1 }] }, look, { text: 'spent' }] },
  { id: 'waiter', match: { system: 'WAITER' }, turns: [{ text: 'waited', faults: [{ type: 'slow' as const, delayMs: 4_000 }] }] },
  { id: 'pay', match: { system: 'PAY' }, turns: [pay, { text: 'paid' }] },
];
const stage = new Stage({ TOLLGATE_CONFIG: CONFIG });
const destination = new Destination();
let agent: AgentClient;
beforeAll(async () => {
  await destination.open();
  await stage.open({ scenarios });
  agent = createAgentClient({ client: stage.client, store: stage.store, identity: { name: 'alice', roles: [] } });
});
afterAll(async () => {
  await stage.close();
  destination.close();
});

const childrenOf = (runKey: RunKey) => stage.store.listRuns({ parent: runKey, limit: 100 });
/** What the provider charged for a run and its children. */
async function billOfFamily(agentRunId: string): Promise<number> {
  const { runKey } = await stage.run(agentRunId);
  const ids = [agentRunId, ...(await childrenOf(runKey)).map((child) => child.runKey.agentRunId)];
  return (await Promise.all(ids.map((id) => stage.bill(id)))).reduce((sum, bill) => sum + bill, 0);
}
function cli(...args: string[]) {
  const env = { ...stage.environment, TOLLGATE_CONFIG: join('examples', 'plan-and-merge', 'tollgate.config.ts') };
  const done = spawnSync(process.execPath, ['client/cli/bin.mjs', ...args], {
    env,
    encoding: 'utf8',
    timeout: 60_000,
    input: '{"message":"A report on the flask."}',
  });
  return { ...done, json: () => JSON.parse(done.stdout) as RunReport };
}

describe('plan, two agents at once, merge', () => {
  test('is started, awaited and shown like any other run, and its children with their share', async () => {
    const done = cli('run', 'product-report', '--input', '-', '--id', 'flask', '--wait', '--json');
    expect(done.stderr).toBe('');
    expect(done.json()).toMatchObject({ status: 'completed', output: 'The report.' });
    const shown = cli('runs', 'show', 'flask', '--json').json();
    expect(shown.children?.map(({ task, status }) => [task, status]).toSorted()).toEqual([
      ['find-facts', 'completed'],
      ['find-risks', 'completed'],
    ]);
    const text = cli('runs', 'show', 'flask').stdout;
    expect(text).toMatch(/child {3}flask\.find-facts-[0-9a-f]{8} · find-facts · completed/);
    expect(cli('runs', 'show', String(shown.children?.[0]?.agentRunId), '--json').json()).toMatchObject({ parent: 'flask' });

    const { runKey } = await stage.run('flask');
    const bill = await billOfFamily('flask');
    expect(await stage.store.getLedger(runKey)).toMatchObject({ settledNanoUsd: bill, heldNanoUsd: 0 });
    const merged = (await stage.store.listAttempts(runKey)).at(-1);
    const transcript = merged && (await stage.store.loadTranscript(runKey, merged.head));
    const heard = transcript?.type === 'transcript' ? transcript.messages.flatMap((message) => ('text' in message ? [message.text] : [])) : [];
    expect(heard).toEqual([
      'A report on the flask.',
      'Part 1: facts. Part 2: risks.',
      'These facts were found:\n\n1204 were sold.',
      'These risks were found:\n\nThe lid leaks.',
      'Now write the report.',
    ]);
  }, 240_000);

  test('a client that knows no more than the name of the task starts it too, and one that has the task starts it at once', async () => {
    const { agentRunId } = await agent.start('product-report', { message: 'A report.' }, { id: 'by-name' });
    expect(await agent.result(agentRunId)).toMatchObject({ status: 'completed', output: 'The report.' });
    const description = await agent.describe(agentRunId);
    expect(description).toMatchObject({ temporalStatus: 'COMPLETED', view: { status: 'completed', task: 'product-report' } });
    const task = example.tasks.find(({ name }) => name === 'product-report');
    if (!task) throw new Error('the example has no such task');
    await agent.start(task, { message: 'A report.' }, { id: 'by-task' });
    expect(await agent.result('by-task')).toMatchObject({ status: 'completed', output: 'The report.' });
    const executions = async (id: string) => (await stage.client.workflow.getHandle(id).describe()).raw.workflowExecutionInfo;
    expect((await executions('by-task'))?.firstRunId).toBe((await executions('by-task'))?.execution?.runId);
    expect((await executions('by-name'))?.firstRunId).not.toBe((await executions('by-name'))?.execution?.runId);
  });

  test('a module of the project cannot put its own in the place of agentRun', async () => {
    const handle = await stage.start({ prompt: 'PAY', models: [{ model: 'gpt-5-mini' }] }, { id: 'not-replaced' });
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  test('a workflow that fails on purpose has its end in the store', async () => {
    await agent.start('failing', { message: 'Go.' }, { id: 'failing' });
    expect(await agent.result('failing')).toMatchObject({ status: 'failed', failureType: 'notWorkable', message: 'It does not work out.' });
    expect(await stage.run('failing')).toMatchObject({ status: 'failed', end: { failureType: 'notWorkable' } });
  });
});

describe('children under one budget', () => {
  const go = (id: string, children: readonly { task: string; budgetUsd: string }[], budgetUsd: string) =>
    agent.start('fan-out', { message: 'Go.', children: [...children] }, { id, budgetUsd });
  const endingsOf = async (id: string) => JSON.parse((await agent.result(id)).message) as { id: string; status: string; message: string }[];

  test('never spend more than the parent has between them, however many run at once; the ledger is the bill', async () => {
    const limitUsd = '0.009';
    await go(
      'tight',
      Array.from({ length: 6 }, () => ({ task: 'spender', budgetUsd: '0.10' })),
      limitUsd,
    );
    const overdrawn: unknown[] = [];
    let isOver = false;
    const watching = (async () => {
      while (!isOver) {
        const run = await stage.store.latestRun('tight' as never);
        const ledger = run && (await stage.store.getLedger(run.runKey));
        if (ledger && ledger.settledNanoUsd + ledger.heldNanoUsd > ledger.limitNanoUsd) overdrawn.push(ledger);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    const ended = await endingsOf('tight');
    isOver = true;
    await watching;
    expect(overdrawn).toEqual([]);
    expect(ended.filter(({ status }) => status !== 'completed' && status !== 'budgetExhausted')).toEqual([]);
    expect(ended.find(({ status }) => status === 'budgetExhausted')?.message).toContain('the budget of the run that it belongs to');

    const { runKey } = await stage.run('tight');
    const ledger = await stage.store.getLedger(runKey);
    const children = await childrenOf(runKey);
    const ledgers = await Promise.all(children.map((child) => stage.store.getLedger(child.runKey)));
    const bill = await billOfFamily('tight');
    if (!ledger) throw new Error('no ledger');
    expect(children).toHaveLength(6);
    expect(ledger.heldNanoUsd).toBeGreaterThan(0);
    expect(bill).toBeGreaterThan(ledger.settledNanoUsd);
    expect(ledgers.reduce((sum, child) => sum + (child?.heldNanoUsd ?? 0), 0)).toBe(ledger.heldNanoUsd);
    expect(ledgers.reduce((sum, child) => sum + (child?.settledNanoUsd ?? 0), 0)).toBe(ledger.settledNanoUsd);
    expect(ledger.settledNanoUsd).toBeLessThanOrEqual(bill);
    expect(bill).toBeLessThanOrEqual(ledger.settledNanoUsd + ledger.heldNanoUsd);
    expect(ledger.settledNanoUsd + ledger.heldNanoUsd).toBeLessThanOrEqual(ledger.limitNanoUsd);
    // Asking for more of its own would not help a child whose parent is short.
    expect(await stage.store.listGates({ status: 'open', limit: 10 })).toEqual([]);
  });

  test('a child that runs out of its own limit stops alone', async () => {
    await go(
      'alone',
      [
        { task: 'find-facts', budgetUsd: '0.0001' },
        { task: 'spender', budgetUsd: '0.05' },
      ],
      '0.10',
    );
    expect((await endingsOf('alone')).map(({ status }) => status)).toEqual(['budgetExhausted', 'completed']);
  });

  test('a parent that is paused holds its children: what they have under way is finished, and nothing new begins', { timeout: 90_000 }, async () => {
    await go('held-family', [{ task: 'spender', budgetUsd: '0.05' }], '0.10');
    const child = await waitFor('the child', async () => {
      const run = await stage.store.latestRun('held-family' as never);
      return run && (await childrenOf(run.runKey))[0];
    });
    const handle = stage.client.workflow.getHandle('held-family');
    expect(await repairRun(stage, handle, { type: 'pause' })).toMatchObject({ type: 'accepted' });
    const inFlight = async () => (await stage.store.listAttempts(child.runKey)).filter(({ outcome }) => outcome === null).length;
    await waitFor('the end of what is under way', async () => (await inFlight()) === 0);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const before = (await stage.store.listAttempts(child.runKey)).length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect((await stage.store.listAttempts(child.runKey)).length).toBe(before);
    expect(await stage.run(child.runKey.agentRunId)).toMatchObject({ end: null });
    expect(await repairRun(stage, handle, { type: 'resume' })).toMatchObject({ type: 'accepted' });
    expect((await endingsOf('held-family')).map(({ status }) => status)).toEqual(['completed']);
  });

  test.each(['cancelled', 'terminated'] as const)('a parent that is %s takes its children with it, and their ends are in the store', async (how) => {
    const id = `parent-${how}`;
    await go(
      id,
      [
        { task: 'waiter', budgetUsd: '0.05' },
        { task: 'waiter', budgetUsd: '0.05' },
      ],
      '0.10',
    );
    const { runKey } = await waitFor('the children at work', async () => {
      const run = await stage.store.latestRun(id as never);
      const children = run ? await childrenOf(run.runKey) : [];
      const attempts = await Promise.all(children.map((child) => stage.store.listAttempts(child.runKey)));
      return attempts.length === 2 && attempts.every((list) => list.length > 0) && run;
    });
    if (how === 'cancelled') await agent.cancel(id);
    else await stage.client.workflow.getHandle(id).terminate('test');
    expect(await agent.result(id)).toMatchObject({ status: 'cancelled' });
    const children = await waitFor('their ends', async () => {
      const found = await childrenOf(runKey);
      return found.every((child) => child.end) && found;
    });
    expect(children.map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    for (const { runKey: child } of children)
      await waitFor('Temporal to say so', async () => (await stage.client.workflow.getHandle(child.agentRunId).describe()).status.name === 'CANCELLED');
    const ledger = await stage.store.getLedger(runKey);
    const bill = await billOfFamily(id);
    expect(ledger?.settledNanoUsd).toBeLessThanOrEqual(bill);
    expect(bill).toBeLessThanOrEqual((ledger?.settledNanoUsd ?? 0) + (ledger?.heldNanoUsd ?? 0));
  });

  test('a parent does not continue as new while a child is in flight, and does so afterwards with what it carries', async () => {
    await agent.start('rounds', { message: 'Go.' }, { id: 'rounds' });
    expect(await agent.result('rounds')).toMatchObject({ status: 'completed', message: 'round 2' });
    const [child] = await childrenOf((await stage.run('rounds')).runKey);
    expect(child).toMatchObject({ status: 'completed' });
  });

  test('a child cannot be started past the budgets above its parent', async () => {
    const { runKey: grandparent } = await stage.run('alone');
    const parent = (await childrenOf(grandparent))[0]?.runKey;
    await stage.client.workflow.execute('agentRun', {
      taskQueue: 'tollgate',
      workflowId: 'grandchild',
      args: [
        {
          version: 1,
          task: { type: 'named', name: 'find-facts' },
          input: { message: 'x' },
          tenant: 't',
          feature: 'f',
          requester: 'r',
          budgetLimitNanoUsd: 1_000_000,
          parent,
        },
      ],
    });
    expect((await stage.run('grandchild')).parentRunKeys).toEqual([parent, grandparent]);
  });
});

describe('the gate cannot be skipped', () => {
  const tools = () => httpTools(destination.url, { pay: 'irreversible' }) as never;
  const paying = async (id: string, workflow: string) => stage.start({ prompt: 'PAY', models: [{ model: 'gpt-5-mini' }], tools: tools() }, { id, workflow });

  test('a workflow of one’s own that asks gets its action done, once, and goes on', async () => {
    const handle = await paying('honest', 'honest');
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid', message: 'approved' });
    expect(destination.count('pay')).toBe(1);
  });

  test('one that does not ask sends nothing and fails by name', async () => {
    const before = destination.count('pay');
    const handle = await paying('careless', 'careless');
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'notPermitted' } });
    expect(destination.count('pay')).toBe(before);
    expect(await stage.run('careless')).toMatchObject({ status: 'failed' });
  });

  test('one that schedules the activity itself sends nothing: without an approval, with a made-up one, with another run’s, with planted rows', async () => {
    const before = destination.count('pay');
    // Another run with a real approval for the very same action, which it never uses.
    const other = await paying('other', 'approvedOnly');
    await stage.approve(other);
    const real = await waitFor('the approval', async () => {
      const [gate] = await stage.store.listGates({ runKey: (await stage.run('other')).runKey, status: 'approved', limit: 1 });
      return gate;
    });

    const handle = await paying('hostile', 'hostile');
    const { runKey, attempt } = await waitFor('the call', async () => {
      const run = await stage.store.latestRun('hostile' as never);
      const accepted = run && (await stage.store.listAttempts(run.runKey)).find(({ outcome }) => outcome?.type === 'reply');
      return run && accepted && { runKey: run.runKey, attempt: accepted };
    });
    const forged = {
      approver: 'mallory',
      roles: ['lead'],
      verdict: 'approve' as const,
      unverified: false,
      comment: null,
      atMs: Date.now(),
      signedDecision: 'x.y',
    };
    const plant = async (id: string, change: Partial<GateRecord>) => {
      const row: GateRecord = { ...real, runKey, approvalId: id as ApprovalId, attemptId: attempt.attemptId, callIndex: 0, ...change };
      const gate = { ...row, actionDigest: actionDigestOf(row, [], NOTHING_OPENED) };
      await stage.store.createGate(gate);
      return gate;
    };
    const lenient = { ...real.policy, approvers: 0, role: 'anybody' };
    const planted = [
      await plant('votes-of-another', { votes: real.votes }),
      await plant('forged-votes', { votes: [forged] }),
      await plant('no-votes-needed', { votes: [], policy: lenient }),
      await plant('with-an-intent', { votes: [forged] }),
    ];
    // A row as after the intent of an earlier sender, whose request the destination says it never saw.
    const intent = planted[3];
    if (!intent) throw new Error('nothing planted');
    const consumed = await stage.store.consumeApproval(
      {
        runKey,
        callKey: `${attempt.attemptId}:0:${intent.approvalId}`,
        attemptId: attempt.attemptId,
        callIndex: 0,
        tool: 'pay',
        toolVersion: '1',
        effect: 'irreversible',
        argumentsDigest: 'planted',
        idempotencyKey: 'planted',
        approvalId: intent.approvalId,
        occurrence: 0,
        dispatchDeadlineMs: 0,
      },
      () => ({ type: 'permitted' }),
    );
    expect(consumed.type).toBe('permitted');

    const attacks = [{}, { approvalId: 'made-up' }, { approvalId: real.approvalId }, ...planted.map(({ approvalId }) => ({ approvalId }))];
    for (const attack of [...attacks, null]) await handle.signal('attack', attack);
    const outcomes = JSON.parse(((await handle.result()) as AgentRunResult).message) as { type: string; failure?: string }[];
    expect(outcomes.map(({ type, failure }) => failure ?? type)).toEqual([
      'notPermitted',
      'notPermitted',
      'notPermitted',
      'notPermitted',
      'notPermitted',
      'reopen',
      'inDoubt',
    ]);
    expect(destination.count('pay')).toBe(before);
    await other.terminate();
  });
});
