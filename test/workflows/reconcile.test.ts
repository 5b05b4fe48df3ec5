import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunKey } from '../../contracts/ids.ts';
import { createMoneyDoor } from '../../client/money-door.ts';
import { ensureReconcileSchedule, reconcileScheduleId } from '../../worker/reconcile-schedule.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const say = (text: string, faults: object[]) => ({ text, faults: faults as never });
const scenarios = [
  { id: 'lost', match: { user: 'lost-reply' }, turns: [say('Done.', [{ type: 'cutAfterWork', attempt: 1 }])] },
  { id: 'hangs', match: { user: 'hangs' }, turns: [say('Done.', [{ type: 'hang', attempt: 1, billed: true }])] },
  { id: 'free', match: { user: 'hangs-free' }, turns: [say('Done.', [{ type: 'hang', attempt: 1 }])] },
  { id: 'nousage', match: { user: 'no-usage' }, turns: [say('Done.', [{ type: 'noUsage', attempt: 1 }])] },
  { id: 'garbage', match: { user: 'garbage' }, turns: [say('Done.', [{ type: 'malformed', attempt: 1 }])] },
  { id: 'over', match: { user: 'above-bound' }, turns: [say('Done.', [{ type: 'usageAboveBound', attempt: 1 }])] },
];

const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(() => stage.close());

const door = createMoneyDoor({
  openStore: async () => stage.store,
  connect: async () => stage.client,
  actor: () => 'alice',
  taskQueue: () => 'tollgate',
});

async function cli(...args: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'client', 'cli', 'main.ts'), ...args], { cwd: ROOT, env: stage.environment });
  return stdout;
}

async function finished(id: string, message: string): Promise<RunKey> {
  const handle = await stage.start({ prompt: 'Help.', limits: { modelTimeoutMs: 2_000 } as never }, { id, message });
  await handle.result();
  return (await stage.run(id)).runKey;
}

test('held money is settled at exactly what the provider billed, and a second reconciliation changes nothing', async () => {
  const ids = ['lost-reply', 'hangs', 'hangs-free', 'no-usage', 'garbage'];
  for (const id of ids) await finished(id, id);
  for (const id of ids) expect([id, await stage.ledgerProblems(id)]).toEqual([id, []]);
  expect((await door.held()).length).toBe(ids.length);

  const result = await door.reconcile();
  expect(result).toMatchObject({ type: 'reconciled', looked: ids.length, settled: ids.length, released: 0, kept: 0, inFlight: 0, nextCursor: null });
  for (const id of ids) {
    const { runKey } = await stage.run(id);
    const bill = await stage.bill(id);
    expect([id, await stage.store.getLedger(runKey)]).toMatchObject([id, { settledNanoUsd: bill, heldNanoUsd: 0, overrunNanoUsd: 0 }]);
    expect((await stage.store.listAudit({ runKey, limit: 100 })).filter(({ type }) => type === 'ledger.reconciled')).toHaveLength(1);
  }
  expect(await door.reconcile()).toMatchObject({ looked: 0, settled: 0 });
});

test('what the provider has never seen is released after its dispatch deadline, what is in flight is left alone, and what cannot be found waits for a person', async () => {
  const runKey = await finished('people', 'plain words');
  const [sent] = await stage.store.listAttempts(runKey);
  if (!sent) throw new Error('the run has an attempt');
  const nowMs = await stage.store.nowMs();
  const base = { ...sent, reservedNanoUsd: 1_000 as never, setAsideNanoUsd: 0 as never };
  const unknown = { type: 'failed', verdict: { class: 'timeout', retrySameModel: true, nextCandidate: true, billed: 'unknown' }, message: 'x' } as const;
  const reserve = async (attemptId: string, change: object) => {
    expect((await stage.store.reserveAttempt({ ...base, attemptId: attemptId as never, ...change })).type).toBe('reserved');
    return attemptId as never;
  };
  const neverSeen = await reserve('never-seen', { dispatchDeadlineMs: nowMs - 60_000 });
  const early = await reserve('early', { dispatchDeadlineMs: nowMs + 60_000 });
  const nobody = await reserve('nobody', { dispatchDeadlineMs: nowMs - 60_000, endpoint: 'gone' });
  const alive = await reserve('alive', { dispatchDeadlineMs: nowMs });
  for (const attemptId of [neverSeen, early, nobody]) await stage.store.reportAttempt(runKey, attemptId, { outcome: unknown });

  const output = JSON.parse(await cli('reconcile', '--run', 'people', '--json')) as { held: { attemptId: string; lookup: { answer: string } | null }[] };
  expect(output).toMatchObject({ looked: 3, settled: 0, released: 1, kept: 2, inFlight: 1, money: { held: { attempts: 3 } } });
  expect(output.held.map(({ attemptId, lookup }) => [attemptId, lookup?.answer ?? null])).toEqual([
    [early, expect.stringContaining('may still send')],
    [nobody, expect.stringContaining('no model "gpt-5-mini" at "gone"')],
    [alive, null],
  ]);
  expect(await stage.store.getAttempt(runKey, neverSeen)).toMatchObject({ money: { status: 'released' } });
  await expect(door.writeOff(alive, 'impatient')).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('still be at work') });

  expect(await cli('reconcile', 'write-off', 'nobody', '--reason', 'the gateway is gone for good')).toMatch(/0\.000001 USD of people are written off/);
  expect(await stage.store.getLedger(runKey)).toMatchObject({ writtenOffNanoUsd: 1_000, heldNanoUsd: 2_000 });
  const [entry] = (await stage.store.listAudit({ runKey, limit: 100 })).filter(({ type }) => type === 'ledger.writtenOff');
  expect(entry).toMatchObject({ actor: 'developer', data: { attemptId: 'nobody', reason: 'the gateway is gone for good' } });

  // The late reply of a request that the provider had not seen yet.
  await stage.store.reportAttempt(runKey, neverSeen, {
    outcome: { type: 'reply' },
    reply: sent.reply as never,
    money: { type: 'settle', costNanoUsd: 700 as never },
  });
  expect(await stage.store.getLedger(runKey)).toMatchObject({ overrunNanoUsd: 700 });
});

test('the schedule asks by itself, is created once, and stays as an operator left it', async () => {
  const schedule = stage.client.schedule.getHandle(reconcileScheduleId('tollgate'));
  const { spec, policies } = await schedule.describe();
  expect([spec.intervals?.[0]?.every, policies.overlap]).toEqual([300_000, 'SKIP']);
  await schedule.pause('looking at it');
  expect(await ensureReconcileSchedule(stage.client, 'tollgate', 1)).toBe(false);
  expect((await schedule.describe()).state).toMatchObject({ paused: true, note: 'looking at it' });

  const runKey = await finished('scheduled', 'lost-reply, then nobody asks');
  expect(await stage.store.getLedger(runKey)).toMatchObject({ heldNanoUsd: expect.toSatisfy((held) => held > 0) });
  await schedule.unpause();
  await schedule.trigger();
  const done = await waitFor('the schedule to have run', async () => (await schedule.describe()).info.recentActions[0] ?? null);
  if (done.action.type !== 'startWorkflow') throw new Error('it starts a workflow');
  const handle = stage.client.workflow.getHandle(done.action.workflow.workflowId);
  // Younger than a minute: left to its sender.
  expect(await handle.result()).toMatchObject({ version: 1, looked: 0 });
  expect(await door.reconcile({ agentRunId: 'scheduled' })).toMatchObject({ looked: 1, settled: 1 });
});

test('an overrun is booked, audited and counted, and the bound of the model learns from it', async () => {
  const runKey = await finished('above-bound', 'above-bound');
  const ledger = await stage.store.getLedger(runKey);
  expect(ledger).toMatchObject({ settledNanoUsd: await stage.bill('above-bound'), overrunNanoUsd: expect.toSatisfy((amount) => amount > 0) });
  const [bound] = await door.bounds();
  expect(bound).toMatchObject({ model: 'gpt-5-mini', endpoint: 'simulated', raises: 1, factor: expect.toSatisfy((factor) => factor > 1) });
  const [before] = await stage.store.listAttempts(runKey);
  const next = await finished('after-the-overrun', 'above-bound, once more');
  const [after] = await stage.store.listAttempts(next);
  expect(after?.reservedNanoUsd).toBeGreaterThan((before?.reservedNanoUsd ?? 0) * 2);
  expect(await stage.store.getLedger(next)).toMatchObject({ settledNanoUsd: await stage.bill('after-the-overrun') });
  expect(JSON.parse(await cli('reconcile', '--list', '--json'))).toMatchObject({ money: { overruns: { attempts: expect.toSatisfy((count) => count >= 1) } } });
});

test('a Temporal that is not there is one plain error; a worker that is not there is no end to wait for', async () => {
  const gone = createMoneyDoor({
    openStore: async () => stage.store,
    connect: async () => stage.client,
    actor: () => 'alice',
    taskQueue: () => 'nobody-listens-here',
  });
  expect(await gone.reconcile({ waitMs: 500 })).toMatchObject({ type: 'running', reconciliationId: expect.stringMatching(/^tollgate-reconcile-/) });
  await stage.killServer();
  await expect(door.reconcile({ waitMs: 500 })).rejects.toMatchObject({ type: 'temporalUnavailable' });
  await stage.startServer();
});
