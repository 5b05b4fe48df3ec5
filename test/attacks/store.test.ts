import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Activities } from '../../activities/port.ts';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { ApprovalId, AttemptId, RunKey, ToolCallId } from '../../contracts/ids.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import type { Store } from '../../domain/store/port.ts';

/** Whoever can write into the store: what they may change of a running run, and that nothing is sent for it. */
const runKey = { agentRunId: 'attacked', firstExecutionRunId: 'first' } as RunKey;
const planId = 'undo:planted' as AttemptId;
const definition = (effect: string) =>
  taskDefinitionSchema.parse({
    version: 1,
    name: 'attacked',
    prompt: 'You pay.',
    models: [{ model: 'm' }],
    maxOutputTokens: 100,
    budgetLimitNanoUsd: 1_000_000_000,
    tools: [{ name: 'pay', parameters: { type: 'object' }, effect, binding: { type: 'http', url: 'https://bank.example/' } }],
    gates: { irreversible: { role: 'lead' } },
    limits: {},
  });

let folder: string;
let real: Store;
let store: Store;
let activities: Activities;
let sent: string[];
let snapshotDigest: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-attack-'));
  sent = [];
  real = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  store = { ...real };
  const price = { model: 'm', source: 'test', input: { picoUsdPerToken: 1 }, output: { picoUsdPerToken: 1 } };
  const entry = { model: 'm', wireModel: 'm', provider: 'test', endpoint: 'e', api: 'chat', background: false, price, missingKey: null } as const;
  const { signer, verifier } = await openLocalKey(folder);
  activities = createActivities({
    store,
    catalogue: { find: () => entry, endpoint: () => Promise.reject(new Error('no model here')) as never, listed: () => ['m'] },
    registry: { tasks: new Map(), tools: new Map() },
    runtimeOf: () => ({
      destination: () => 'bank.example',
      dispatch: async () => {
        sent.push('pay');
        return { type: 'done', result: null };
      },
    }),
    verifier,
    redaction: { ...openEngine({}), keyring: openLocalKeyring(folder, store) },
    unsignedSigner: signer,
    requesterMayDecideByDefault: true,
  });
  const contentDigest = await store.putContent(JSON.stringify(definition('irreversible')));
  const task = { type: 'stored', name: 'attacked', contentDigest } as const;
  const pinned = await run(() => activities.pinTask({ version: 1, runKey, task, input: { message: 'x' }, tenant: 't', feature: 'f', requester: 'r' }));
  snapshotDigest = pinned.pinned.snapshotDigest;
  await plant([]);
});
afterEach(async () => {
  await real.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = <T>(body: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(body);

/** A plan that no run ever made, with a call that no model ever asked for. */
async function plant(left: readonly object[]): Promise<void> {
  const by = { tool: 'pay', arguments: { amount: 5 }, argumentsDigest: 'x' };
  const text = JSON.stringify({ why: 'planted', plan: { undo: [{ callKey: 'none', tool: 'pay', by }], left } });
  await store.putNode(runKey, planId, {
    role: 'assistant',
    text,
    toolCalls: [{ toolCallId: 'none' as ToolCallId, name: 'pay', argumentsText: '{"amount":5}' }],
  });
}
const execute = (more: object = {}) => run(() => activities.executeTool({ version: 1, runKey, attemptId: planId, callIndex: 0, snapshotDigest, ...more }));

test('a planted plan of compensation gets nothing irreversible done: not without a gate, not by one that does not exist, not before its approval', async () => {
  await expect(execute()).rejects.toMatchObject({ type: 'notPermitted' });
  expect(await execute({ approvalId: 'made-up' })).toMatchObject({ type: 'notPermitted' });
  const approvalId = 'gate' as ApprovalId;
  await run(() =>
    activities.openGate({ version: 1, runKey, snapshotDigest, approvalId, kind: 'action', attemptId: planId, callIndex: 0, liveApprovalIds: [] }),
  );
  expect(await execute({ approvalId })).toMatchObject({ type: 'notPermitted', gateStatus: 'open' });
  expect(sent).toEqual([]);
});

test('a pinned task that was replaced in the store under its own digest is not believed', async () => {
  const lowered = JSON.stringify({ ...JSON.parse((await real.getContent(snapshotDigest as never)) ?? ''), task: definition('write'), attack: Math.random() });
  const fresh = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  const other = await real.putContent(lowered);
  store.getContent = async (digest) => fresh.getContent(digest === snapshotDigest || digest === 'f'.repeat(64) ? other : digest);
  store.getRun = async (key) => {
    const row = await real.getRun(key);
    return row && { ...row, snapshotDigest: 'f'.repeat(64) as never };
  };
  await expect(run(() => activities.executeTool({ version: 1, runKey, attemptId: planId, callIndex: 0 }))).rejects.toMatchObject({ type: 'snapshotMissing' });
  expect(sent).toEqual([]);
  await fresh.close();
});

test('a run that the store points at another pinned task, where an action is a mere write, does not run by it', async () => {
  const lowered = await real.putContent(JSON.stringify({ ...JSON.parse((await real.getContent(snapshotDigest as never)) ?? ''), task: definition('write') }));
  store.getRun = async (key) => {
    const row = await real.getRun(key);
    return row && { ...row, snapshotDigest: lowered };
  };
  await expect(execute()).rejects.toMatchObject({ type: 'notPermitted', message: expect.stringContaining('history') });
  expect(sent).toEqual([]);
});
