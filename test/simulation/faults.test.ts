import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { Destination } from '../support/destination.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const slow = [{ type: 'slow' as const, delayMs: 6_000, attempt: 1 }];
const scenarios: ScenarioInput[] = [
  { id: 'slow', match: { system: 'SLOW' }, turns: [{ text: 'answered', faults: slow }] },
  {
    id: 'pay',
    match: { system: 'PAY' },
    turns: [
      { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] },
      { text: 'paid', alternatives: [{ when: { lastToolResultIncludes: 'not done' }, text: 'not paid' }] },
    ],
  },
  {
    id: 'steps',
    match: { system: 'STEPS' },
    turns: [
      { toolCalls: [{ name: 'look', arguments: {} }] },
      { toolCalls: [{ name: 'look', arguments: {} }] },
      { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] },
      { text: 'done' },
    ],
  },
];
let destination: Destination;
let stage: Stage;
beforeEach(async () => {
  destination = new Destination();
  await destination.open();
  stage = await new Stage().open({ scenarios, workers: 2 });
});
afterEach(async () => {
  await stage.close();
  destination.close();
});

const tools = () => httpTools(destination.url, { look: 'read', pay: 'irreversible' }) as never;
/** The worker that a run's activity is on, by its identity `pid@host`. */
const workerOf = async (workflowId: string) =>
  waitFor('a started activity', async () => {
    const description = await stage.client.workflow.getHandle(workflowId).describe();
    // Another worker may have opened the run.
    const activity = description.raw.pendingActivities?.find(({ activityType }) => activityType?.name !== 'pinTask');
    const pid = Number((activity?.lastWorkerIdentity ?? '').split('@')[0]);
    return stage.workers.find((worker) => worker.pid === pid);
  });

describe.each([
  ['plain', 'forbidden'],
  ['background', 'allowed'],
] as const)('a worker killed during a model call (%s)', (kind, providerStorage) => {
  test('another goes on within 10 s, and the ledger holds what the provider billed', async () => {
    const handle = await stage.start({ prompt: 'SLOW', providerStorage }, { id: 'killed' });
    const worker = await workerOf('killed');
    await waitFor('the request at the provider', async () =>
      kind === 'plain' ? (await stage.bill()) > 0 : (await stage.store.listAttempts((await stage.run('killed')).runKey))[0]?.responseId,
    );
    await stage.kill(worker);
    const killedMs = Date.now();
    await waitFor('the run to go on', async () => {
      const attempts = await stage.store.listAttempts((await stage.run('killed')).runKey);
      return attempts.length > 1 || attempts[0]?.outcome;
    });
    expect(Date.now() - killedMs).toBeLessThan(10_000);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'answered' });
    expect(await stage.ledgerProblems('killed')).toEqual([]);
    if (kind === 'background') expect(await stage.store.listAttempts((await stage.run('killed')).runKey)).toHaveLength(1);
  });
});

// Temporal gives tasks to the polls that the frozen worker left open, and waits 10 s for each, so this takes a while.
test('a worker frozen past its heartbeat and woken again: its late reply is paid for in the ledger and never enters the transcript', {
  timeout: 180_000,
}, async () => {
  const handle = await stage.start({ prompt: 'SLOW' }, { id: 'zombie' });
  const worker = await workerOf('zombie');
  await waitFor('the request at the provider', async () => (await stage.bill()) > 0);
  process.kill(worker.pid, 'SIGSTOP');
  const result = (await handle.result()) as AgentRunResult;
  expect(result).toMatchObject({ status: 'completed', output: 'answered' });
  process.kill(worker.pid, 'SIGCONT');
  const { runKey } = await stage.run('zombie');
  const [late, accepted] = await waitFor('the late reply to be settled', async () => {
    const attempts = await stage.store.listAttempts(runKey);
    return attempts.every((attempt) => attempt.money.status === 'settled') && attempts;
  });
  expect(late?.outcome?.type).toBe('failed');
  expect(accepted?.outcome?.type).toBe('reply');
  expect((await stage.store.getLedger(runKey))?.settledNanoUsd).toBe(await stage.bill('zombie'));
});

test('a worker killed during a read: another does the read again within 10 s', async () => {
  destination.delayMs = ({ tool }) => (tool === 'look' && destination.count('look') === 1 ? 60_000 : 0);
  const handle = await stage.start({ prompt: 'STEPS', tools: tools() }, { id: 'read' });
  await waitFor('the read at the destination', async () => destination.count('look') === 1);
  await stage.kill(await workerOf('read'));
  const killedMs = Date.now();
  await waitFor('the read to be done again', async () => destination.count('look') > 1);
  expect(Date.now() - killedMs).toBeLessThan(10_000);
  await stage.approve(handle);
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'done' });
  expect(await stage.store.listToolCalls((await stage.run('read')).runKey)).toMatchObject([{ status: 'done' }, { status: 'done' }, { status: 'done' }]);
});

test('a worker killed during an irreversible call: the destination is asked, and nothing is done twice', async () => {
  destination.delayMs = () => 8_000;
  const handle = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'effect' });
  await stage.approve(handle);
  await waitFor('the action at the destination', async () => destination.count('pay') === 1);
  await stage.kill(await workerOf('effect'));
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
  expect(destination.count('pay')).toBe(1);
});

test('where the destination cannot say, a person is asked, and the action is not repeated', async () => {
  destination.delayMs = () => 60_000;
  destination.answersOutcomes = () => false;
  const handle = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'doubt' });
  const action = await stage.openGate(handle);
  await stage.approve(handle);
  await waitFor('the action at the destination', async () => destination.count('pay') === 1);
  await stage.kill(await workerOf('doubt'));
  const doubt = await waitFor('the inDoubt gate', async () => {
    const gate = await stage.openGate(handle);
    return gate.kind === 'inDoubt' && gate;
  });
  expect(doubt.aboutApprovalId).toBe(action.approvalId);
  const [sent] = destination.arrivals;
  for (const known of ['Approved by developer', `idempotency key ${sent?.idempotencyKey}`, 'begun at ', destination.url]) expect(doubt.reason).toContain(known);
  await handle.signal('deny', { approvalId: doubt.approvalId, actionDigest: doubt.actionDigest });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'not paid' });
  expect(destination.count('pay')).toBe(1);
});

test('workers killed while a run waits at its gate: the approval given meanwhile counts once one is back', async () => {
  const handle = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'waiting' });
  const gate = await stage.openGate(handle);
  for (const worker of stage.workers) await stage.kill(worker);
  await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
  await stage.startWorker();
  expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
  expect(destination.count('pay')).toBe(1);
});

test('the Temporal server killed in the middle: the run finishes after its restart', async () => {
  const handle = await stage.start({ prompt: 'STEPS', tools: tools() }, { id: 'server' });
  await stage.openGate(handle);
  await stage.killServer();
  await stage.startServer();
  const again = stage.client.workflow.getHandle('server');
  await stage.approve(again);
  expect(await again.result()).toMatchObject({ status: 'completed', output: 'done' });
  expect(destination.count('pay')).toBe(1);
  expect(await stage.ledgerProblems('server')).toEqual([]);
});

test('cancelled during a model call: the paid reply is in the ledger and the store has the end', async () => {
  const handle = await stage.start({ prompt: 'SLOW' }, { id: 'cancelled' });
  await waitFor('the request at the provider', async () => (await stage.bill()) > 0);
  await handle.cancel();
  await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });
  const run = await stage.run('cancelled');
  expect(run.status).toBe('cancelled');
  expect((await stage.store.getLedger(run.runKey))?.settledNanoUsd).toBe(await stage.bill('cancelled'));
});

test('terminated in Temporal: the store ends the run and withdraws its gate', async () => {
  const handle = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'terminated' });
  const gate = await stage.openGate(handle);
  await handle.terminate('by an operator');
  const run = await waitFor('the sweeper', async () => {
    const seen = await stage.run('terminated');
    return seen.status === 'cancelled' && seen;
  });
  expect(await stage.store.getGate(run.runKey, gate.approvalId)).toMatchObject({ status: 'withdrawn' });
});

test('terminated, and its Workflow Id used again at once: the first run ends in the store, the second goes on', async () => {
  const first = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'reused' });
  const gate = await stage.openGate(first);
  await first.terminate('by an operator');
  const second = await stage.start({ prompt: 'PAY', tools: tools() }, { id: 'reused' });
  await waitFor('the sweeper', async () => (await stage.store.getRun(gate.runKey))?.status === 'cancelled');
  expect(await stage.store.getGate(gate.runKey, gate.approvalId)).toMatchObject({ status: 'withdrawn' });
  await stage.approve(second);
  expect(await second.result()).toMatchObject({ status: 'completed', output: 'paid' });
  expect(destination.count('pay')).toBe(1);
});

test('the same Workflow Id a second time: nothing of the first run is used again', async () => {
  for (const round of [1, 2]) {
    const handle = await stage.start({ prompt: 'STEPS', tools: tools() }, { id: 'again' });
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'done' });
    expect(destination.count('pay')).toBe(round);
    expect(await stage.store.listAttempts((await stage.run('again')).runKey)).toHaveLength(4);
  }
});

test('reset in Temporal: nothing is paid twice, the old gate is closed, and the action needs a new approval', async () => {
  const handle = await stage.start({ prompt: 'STEPS', tools: tools() }, { id: 'reset' });
  const gate = await stage.openGate(handle);
  const billed = await stage.bill('reset');
  const { events } = await handle.fetchHistory();
  const firstModelCall = events?.findIndex((event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'callModel') ?? -1;
  const resetTo = events?.slice(0, firstModelCall + 1).findLast((event) => event.workflowTaskCompletedEventAttributes);
  await stage.client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: 'reset', runId: (await handle.describe()).runId },
    reason: 'test',
    workflowTaskFinishEventId: resetTo?.eventId ?? null,
    requestId: 'reset-1',
  });
  const again = stage.client.workflow.getHandle('reset');
  const newGate = await waitFor('the gate after the reset', async () => {
    const open = await stage.openGate(again);
    return open.approvalId !== gate.approvalId && open;
  });
  expect(await stage.bill('reset')).toBe(billed);
  expect(await stage.store.getGate((await stage.run('reset')).runKey, gate.approvalId)).toMatchObject({ status: 'withdrawn' });
  await again.signal('approve', { approvalId: newGate.approvalId, actionDigest: newGate.actionDigest });
  expect(await again.result()).toMatchObject({ status: 'completed', output: 'done' });
  expect(destination.count('pay')).toBe(1);
  expect(await stage.ledgerProblems('reset')).toEqual([]);
});
