import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRunResult, RunStatusView } from '../../contracts/agent-run.ts';
import { Destination } from '../support/destination.ts';
import { auditedRepairs, NANO, repairRun, sendSigned, signRepair } from '../support/repairs.ts';
import { Stage } from '../support/stage.ts';
import { httpTools, recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const pay = { toolCalls: [{ name: 'pay', arguments: { to: 'bob' } }] };
const look = { toolCalls: [{ name: 'look', arguments: { id: 1 } }] };
const note = { toolCalls: [{ name: 'note', arguments: { text: 'hi' } }] };
const scenarios = [
  { id: 'pay', match: { system: 'PAY' }, turns: [pay, { text: 'paid' }] },
  { id: 'look', match: { system: 'LOOK' }, turns: [look, { text: 'looked' }] },
  { id: 'two', match: { system: 'TWO' }, turns: [{ ...look, faults: [{ type: 'slow' as const, delayMs: 2_500 }] }, { text: 'looked' }] },
  {
    id: 'busy',
    match: { system: 'BUSY' },
    turns: [{ text: 'at last', faults: [{ type: 'rateLimit' as const, attempt: 1, retryAfterMs: 8_000 }] }],
  },
  { id: 'note', match: { system: 'NOTE' }, turns: [note, { text: 'went on' }] },
  { id: 'mixed', match: { system: 'MIXED' }, turns: [{ toolCalls: [...note.toolCalls, ...pay.toolCalls] }, { text: 'went on' }] },
];
const stage = new Stage({ TOLLGATE_UNSIGNED_SIGNALS: 'refuse' });
const destination = new Destination();
beforeAll(async () => {
  await destination.open();
  await stage.open({ scenarios });
});
afterAll(async () => {
  await stage.close();
  destination.close();
});

const pause = { type: 'pause' } as const;
const resume = { type: 'resume' } as const;
const view = (handle: WorkflowHandle) => handle.query<RunStatusView>('getRunStatus');
const resultOf = (handle: WorkflowHandle) => handle.result() as Promise<AgentRunResult>;
async function attemptsOf(handle: WorkflowHandle) {
  return await stage.store.listAttempts((await stage.run(handle.workflowId)).runKey);
}
const pause1s = () => new Promise((resolve) => setTimeout(resolve, 1_000));
/** A run that waits at the gate of its payment. */
async function startPaying(id: string, more: object = {}) {
  const tools = httpTools(destination.url, { pay: 'irreversible' });
  return await stage.start({ prompt: 'PAY', tools, gates: { irreversible: { role: 'lead', requesterMayDecide: true } }, ...more } as never, { id });
}
const paymentsOf = async (handle: WorkflowHandle) => {
  const { runKey } = await stage.run(handle.workflowId);
  const keys = (await stage.store.listToolCalls(runKey)).map(({ idempotencyKey }) => idempotencyKey);
  return destination.arrivals.filter(({ tool, idempotencyKey }) => tool === 'pay' && keys.includes(idempotencyKey)).length;
};
async function decide(handle: WorkflowHandle, verdict: 'approve' | 'deny') {
  const { openLocalKey } = await import('../../adapters/keys/local-key.ts');
  const gate = await stage.openGate(handle);
  const { signer } = await openLocalKey(stage.folder);
  const { approvalId, actionDigest, runKey } = gate;
  const signedDecision = signer.sign({
    ...{ version: 1, ...runKey, approvalId, actionDigest, verdict, approver: 'alice', roles: ['lead', 'tollgate'] },
    nonce: `${approvalId}-${verdict}`,
    expiresAtMs: Date.now() + 60_000,
  });
  return await handle.executeUpdate('decideApproval', { args: [{ approvalId, actionDigest, verdict, signedDecision }] });
}

describe('a paused run', () => {
  test('keeps its gates open, takes decisions, and does not begin an approved action before it is resumed', async () => {
    const handle = await startPaying('held-gate', { limits: { maxDurationMs: 60_000 } });
    await stage.openGate(handle);
    expect(await repairRun(stage, handle, pause)).toMatchObject({ type: 'accepted', message: 'olga paused the run.' });
    expect(await view(handle)).toMatchObject({ status: 'paused', paused: { by: 'olga', reason: 'it is stuck' }, gates: [{ status: 'open' }] });
    expect(await stage.run('held-gate')).toMatchObject({ status: 'paused' });
    expect(await stage.store.listRuns({ status: 'paused', limit: 10 })).toMatchObject([{ runKey: { agentRunId: 'held-gate' } }]);

    expect(await decide(handle, 'approve')).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
    await pause1s();
    expect(await paymentsOf(handle)).toBe(0);
    expect(await view(handle)).toMatchObject({ status: 'paused', gates: [{ status: 'approved' }] });

    expect(await repairRun(stage, handle, resume)).toMatchObject({ type: 'accepted' });
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'paid' });
    expect(await paymentsOf(handle)).toBe(1);
    expect(await auditedRepairs(stage, handle)).toMatchObject([
      { type: 'repair.pause', actor: 'olga', reason: 'it is stuck', unverified: false },
      { type: 'repair.resume', actor: 'olga', reason: 'it is stuck' },
    ]);
  });

  test('finishes the model call that is under way, and begins no tool', async () => {
    const handle = await stage.start({ prompt: 'TWO', tools: httpTools(destination.url, { look: 'read' }) } as never, { id: 'under-way' });
    await waitFor('the call', async () => (await stage.store.latestRun('under-way' as never)) && (await attemptsOf(handle)).length === 1);
    expect(await repairRun(stage, handle, pause)).toMatchObject({ type: 'accepted' });
    await waitFor('its reply', async () => (await attemptsOf(handle))[0]?.reply != null);
    await pause1s();
    expect(destination.count('look')).toBe(0);
    expect((await attemptsOf(handle)).map(({ money }) => money.status)).toEqual(['settled']);
    await repairRun(stage, handle, resume);
    expect(await resultOf(handle)).toMatchObject({ status: 'completed' });
    expect(destination.count('look')).toBe(1);
  });

  test('is held also where its worker dies, and does not pay time for it', { timeout: 60_000 }, async () => {
    const handle = await startPaying('held-restart', { limits: { maxDurationMs: 6_000 } });
    await stage.openGate(handle);
    await repairRun(stage, handle, pause);
    await decide(handle, 'approve');
    const [worker] = stage.workers.slice(-1);
    if (worker) await stage.kill(worker);
    await stage.startWorker();
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(await paymentsOf(handle)).toBe(0);
    expect(await view(handle)).toMatchObject({ status: 'paused' });
    await repairRun(stage, handle, resume);
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'paid' });
  });

  test('can be cancelled', async () => {
    const handle = await startPaying('held-cancelled');
    await stage.openGate(handle);
    await repairRun(stage, handle, pause);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect(await stage.run('held-cancelled')).toMatchObject({ status: 'cancelled' });
  });

  test('goes on as a new execution while it is held, and stays held', async () => {
    const handle = await startPaying('held-on', { limits: { maxHistoryEvents: 50 } });
    await stage.openGate(handle);
    await repairRun(stage, handle, pause);
    const first = (await handle.describe()).runId;
    for (let count = 0; count < 30; count += 1) {
      await repairRun(stage, handle, pause).catch(() => undefined);
      if ((await handle.describe()).runId !== first) break;
    }
    expect((await handle.describe()).runId).not.toBe(first);
    expect(await view(handle)).toMatchObject({ status: 'paused' });
    await decide(handle, 'approve');
    await pause1s();
    expect(await paymentsOf(handle)).toBe(0);
    await repairRun(stage, handle, resume);
    expect(await resultOf(handle)).toMatchObject({ status: 'completed' });
    expect(await paymentsOf(handle)).toBe(1);
  });
});

describe('the same repair again', () => {
  test('changes nothing: neither sent twice, nor late, nor where it holds already', async () => {
    const handle = await startPaying('again');
    const { runKey } = await stage.openGate(handle);
    const [paused, budget] = [await signRepair(stage, runKey, pause), await signRepair(stage, runKey, { type: 'raiseBudget', amountNanoUsd: NANO })];
    expect(await sendSigned(handle, 'pause', paused)).toMatchObject({ type: 'accepted' });
    expect(await repairRun(stage, handle, pause)).toMatchObject({ type: 'unchanged', message: expect.stringContaining('paused already') });
    expect(await repairRun(stage, handle, resume)).toMatchObject({ type: 'accepted' });
    expect(await repairRun(stage, handle, resume)).toMatchObject({ type: 'unchanged' });
    expect(await sendSigned(handle, 'pause', paused)).toMatchObject({ type: 'unchanged' });
    expect(await view(handle)).toMatchObject({ status: 'awaitingApproval' });
    expect(await sendSigned(handle, 'raiseBudget', budget)).toMatchObject({ type: 'accepted' });
    expect(await sendSigned(handle, 'raiseBudget', budget)).toMatchObject({ type: 'unchanged' });
    expect((await stage.store.getLedger(runKey))?.limitNanoUsd).toBe(1_500_000_000);
    expect((await view(handle)).ledger.limitNanoUsd).toBe(1_500_000_000);
    await handle.cancel();
  });
});

describe('who may not', () => {
  test('is refused, audited, and nothing changes', async () => {
    const [handle, other] = [await startPaying('refusing'), await startPaying('other')];
    const [{ runKey }] = [await stage.openGate(handle), await stage.openGate(other)];
    const raise = { type: 'raiseBudget', amountNanoUsd: NANO } as const;
    const signed = await signRepair(stage, runKey, pause);
    expect(await sendSigned(other, 'pause', signed)).toMatchObject({ type: 'refused', reason: 'wrongRun' });
    expect(await sendSigned(handle, 'resume', signed)).toMatchObject({ type: 'refused', reason: 'badSignature' });
    expect(await sendSigned(handle, 'pause', `${signed}x`)).toMatchObject({ type: 'refused', reason: 'badSignature' });
    expect(await sendSigned(handle, 'pause', `e30.${signed.split('.')[1]}`)).toMatchObject({ type: 'refused', reason: 'badSignature' });
    expect(await handle.executeUpdate('pause', { args: [{ reason: 'because' }] })).toMatchObject({ type: 'refused', reason: 'unsignedNotAllowed' });
    expect(await repairRun(stage, handle, pause, { roles: ['lead'] })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(await repairRun(stage, handle, raise, { roles: ['operator'] })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(await repairRun(stage, handle, pause, { expiresAtMs: Date.now() - 1 })).toMatchObject({ type: 'refused', reason: 'signatureExpired' });
    expect(await repairRun(stage, handle, pause, { firstExecutionRunId: 'another-execution' })).toMatchObject({ type: 'refused', reason: 'wrongRun' });
    for (const junk of [null, 'pause', [], {}, { reason: '' }, { signed: 7 }, { reason: 'x'.repeat(1_001) }])
      await expect(handle.executeUpdate('pause', { args: [junk] })).rejects.toMatchObject({ cause: { type: 'malformed' } });
    for (const junk of [{ reason: 'x' }, { reason: 'x', amountUsd: '-1' }, { reason: 'x', amountUsd: 1 }, { reason: 'x', amountUsd: '0' }])
      await expect(handle.executeUpdate('raiseBudget', { args: [junk] })).rejects.toMatchObject({ cause: { type: 'malformed' } });
    expect(await view(handle)).toMatchObject({ status: 'awaitingApproval', ledger: { limitNanoUsd: 500_000_000 } });
    expect((await auditedRepairs(stage, handle)).every(({ type }) => type === 'repair.refused')).toBe(true);
    expect(await stage.store.listRepairs(runKey)).toEqual([]);
    await handle.cancel();
    await other.cancel();
  });
});

describe('skipStep', () => {
  const skip = { type: 'skipStep', step: 1 } as const;

  test('gives a step up that waits at a gate: the model hears of it, and the approval that comes too late does nothing', async () => {
    const handle = await startPaying('skip-gate');
    const { runKey, approvalId } = await stage.openGate(handle);
    expect(await repairRun(stage, handle, { type: 'skipStep', step: 2 })).toMatchObject({ type: 'refused', reason: 'wrongStep' });
    expect(await repairRun(stage, handle, skip)).toMatchObject({ type: 'accepted', message: 'olga gave up step 1.' });
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'paid' });
    expect(await stage.store.getGate(runKey, approvalId)).toMatchObject({ status: 'withdrawn' });
    expect(await paymentsOf(handle)).toBe(0);
    const [, second] = await attemptsOf(handle);
    const heard = await stage.store.loadTranscript(runKey, second?.head as never);
    expect(JSON.stringify(heard)).toContain('an operator skipped this call');
  });

  test('gives a call up that waits for a worker of its tool version', { timeout: 60_000 }, async () => {
    const [tool] = await recordedTools(stage, { note: 'write' }, []);
    const handle = await stage.start({ prompt: 'NOTE', tools: [{ ...tool, binding: { type: 'function' } }] } as never, { id: 'skip-version' });
    await waitFor('the wait', async () => ((await handle.describe()).raw.pendingActivities ?? []).some(({ attempt }) => Number(attempt) > 1), 30_000);
    expect(await repairRun(stage, handle, skip)).toMatchObject({ type: 'accepted' });
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'went on' });
  });

  test('never gives an action up that was sent and whose outcome nobody knows', async () => {
    destination.isCut = ({ tool }) => tool === 'pay';
    destination.answersOutcomes = () => false;
    const handle = await startPaying('skip-doubt');
    const { runKey } = await stage.openGate(handle);
    await decide(handle, 'approve');
    await waitFor('the doubt', async () => (await stage.store.listGates({ runKey, status: 'open', limit: 10 })).some(({ kind }) => kind === 'inDoubt'));
    expect(await repairRun(stage, handle, skip)).toMatchObject({ type: 'refused', reason: 'inDoubt' });
    expect(await view(handle)).toMatchObject({ status: 'awaitingApproval', gates: [{ kind: 'action' }, { kind: 'inDoubt', status: 'open' }] });
    destination.isCut = () => false;
    destination.answersOutcomes = () => true;
    await handle.cancel();
  });
});

describe('another model, and more money', () => {
  const SLOW = { prompt: 'BUSY', models: [{ model: 'gpt-5-mini' }, { model: 'gpt-5-nano' }] };

  test('useModel ends the wait for a model that is busy, and the chosen one answers; a model outside the chain is refused', async () => {
    const handle = await stage.start(SLOW as never, { id: 'use-model' });
    await waitFor(
      'its first failure',
      async () => (await stage.store.latestRun('use-model' as never)) && (await attemptsOf(handle))[0]?.outcome?.type === 'failed',
    );
    expect(await repairRun(stage, handle, { type: 'useModel', model: 'gpt-4o' })).toMatchObject({ type: 'refused', reason: 'modelNotAllowed' });
    expect(await repairRun(stage, handle, { type: 'useModel', model: 'gpt-5-nano' })).toMatchObject({ type: 'accepted' });
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'at last' });
    const [busy, chosen] = await attemptsOf(handle);
    expect(Number(chosen?.reservedAtMs) - Number(busy?.endedAtMs)).toBeLessThan(7_000);
    const models = (await attemptsOf(handle)).map(({ model }) => model);
    expect(models.at(0)).toBe('gpt-5-mini');
    expect(models.at(-1)).toBe('gpt-5-nano');
  });

  test('raiseBudget lets a run go on that waits for more; its gate is withdrawn, and nobody is charged beyond the limit', async () => {
    const handle = await stage.start(
      { prompt: 'LOOK', tools: httpTools(destination.url, { look: 'read' }), onBudgetExhausted: 'ask', budgetLimitNanoUsd: 1_000 } as never,
      { id: 'raise' },
    );
    const { runKey, approvalId, kind } = await stage.openGate(handle);
    expect(kind).toBe('budget');
    expect(await repairRun(stage, handle, { type: 'raiseBudget', amountNanoUsd: NANO }, { actor: 'tester' })).toMatchObject({ type: 'accepted' });
    expect(await resultOf(handle)).toMatchObject({ status: 'completed', output: 'looked', ledger: { limitNanoUsd: NANO + 1_000 } });
    expect(await stage.store.getGate(runKey, approvalId)).toMatchObject({ status: 'withdrawn' });
    expect(await stage.bill('raise')).toBe((await stage.store.getLedger(runKey))?.settledNanoUsd);
  });

  test('a run that ended takes no repair', async () => {
    const handle = stage.client.workflow.getHandle('raise');
    await expect(repairRun(stage, handle, pause)).rejects.toThrow(/completed|not found/i);
  });
});
