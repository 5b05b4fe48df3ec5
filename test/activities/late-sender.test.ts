import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Activities } from '../../activities/port.ts';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { ApprovalId, AttemptId, RunKey, ToolCallId } from '../../contracts/ids.ts';
import type { ModelReply } from '../../contracts/model.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { Store } from '../../domain/store/port.ts';
import type { ToolBindingRuntime } from '../../domain/tool/runtime-port.ts';

const runKey = { agentRunId: 'late', firstExecutionRunId: 'first' } as RunKey;
const attemptId = 'attempt-1' as AttemptId;
const approvalId = 'gate-1' as ApprovalId;
const reply: ModelReply = {
  text: null,
  refusal: null,
  toolCalls: [{ toolCallId: 'call-1' as ToolCallId, name: 'pay', argumentsText: '{"amount":5}' }],
  finishReason: 'toolCalls',
  responseId: null,
  responseModel: null,
  serviceTier: null,
};
const task = taskDefinitionSchema.parse({
  version: 1,
  name: 'late',
  prompt: 'You pay.',
  models: [{ model: 'm' }],
  maxOutputTokens: 100,
  budgetLimitNanoUsd: 1_000_000_000,
  tools: [{ name: 'pay', parameters: { type: 'object' }, effect: 'irreversible', binding: { type: 'http', url: 'https://bank.example/' } }],
  gates: { irreversible: { role: 'lead' } },
  limits: {},
});

let folder: string;
let store: Store;
let activities: Activities;
let nowMs: number;
/** How long the worker is frozen after its journal row is written and before it sends. */
let frozenMs: number;
let sent: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-late-'));
  nowMs = 1_800_000_000_000;
  frozenMs = 0;
  sent = [];
  const real = await openSqliteStore({ path: join(folder, 'tollgate.db'), now: () => nowMs });
  const freeze = <T>(result: T): T => {
    nowMs += frozenMs;
    return result;
  };
  store = {
    ...real,
    reserveAttempt: async (attempt) => freeze(await real.reserveAttempt(attempt)),
    consumeApproval: async (call, permits) => freeze(await real.consumeApproval(call, permits)),
  };
  activities = await workerWith({
    destination: () => 'bank.example',
    dispatch: async () => {
      sent.push('pay');
      return { type: 'done', result: { ok: true } };
    },
  });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const endpoint: ModelEndpoint = {
  bodyBytes: () => 1_000,
  send: async () => {
    sent.push('model');
    return { type: 'reply', reply, usage: { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 10, reasoningTokens: 0 } };
  },
  awaitResponse: () => Promise.reject(new Error('not in the background')),
  cancelResponse: async () => undefined,
};
const price = { model: 'm', source: 'test', input: { picoUsdPerToken: 1_000_000 }, output: { picoUsdPerToken: 1_000_000 } };
const entry = { model: 'm', wireModel: 'm', provider: 'test', endpoint: 'e', api: 'chat', background: false, price, missingKey: null } as const;

/** The activities of a worker whose tools go through `runtime`. */
async function workerWith(runtime: ToolBindingRuntime): Promise<Activities> {
  const { signer, verifier } = await openLocalKey(folder);
  return createActivities({
    store,
    catalogue: { find: () => entry, endpoint: () => endpoint, listed: () => ['m'] },
    registry: { tasks: new Map([[task.name, task]]), tools: new Map() },
    runtimeOf: () => runtime,
    verifier,
    redaction: { ...openEngine({}), keyring: openLocalKeyring(folder, store) },
    unsignedSigner: signer,
    requesterMayDecideByDefault: true,
  });
}

type Info = ConstructorParameters<typeof MockActivityEnvironment>[0];
const inActivity = <T>(body: () => Promise<T>, info: Info = {}): Promise<T> => new MockActivityEnvironment(info).run(body);

async function callModel(info: Info = {}) {
  const input = { message: 'Pay 5.' };
  const pinned = await inActivity(() =>
    activities.pinTask({ version: 1, runKey, task: { type: 'named', name: 'late' }, input, tenant: 't', feature: 'f', requester: 'r' }),
  );
  const { snapshotDigest } = pinned.pinned;
  const outcome = await inActivity(
    () => activities.callModel({ version: 1, runKey, attemptId, step: 1, ordinal: 1, candidateIndex: 0, head: pinned.head, mode: 'step' }),
    info,
  );
  return { snapshotDigest, outcome };
}

async function approvedAction(): Promise<void> {
  const { snapshotDigest } = await callModel();
  const place = { attemptId, callIndex: 0, liveApprovalIds: [] } as const;
  const { actionDigest } = await inActivity(() => activities.openGate({ version: 1, runKey, snapshotDigest, approvalId, kind: 'action', ...place }));
  const answer = await inActivity(() => activities.recordDecision({ version: 1, runKey, request: { approvalId, actionDigest, verdict: 'approve' } }));
  expect(answer).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
}

const pay = (worker = activities, info: Info = {}) => inActivity(() => worker.executeTool({ version: 1, runKey, attemptId, callIndex: 0, approvalId }), info);

describe('a model call', () => {
  test('is sent by a worker that is in time', async () => {
    expect((await callModel()).outcome).toMatchObject({ type: 'reply' });
    expect(sent).toEqual(['model']);
  });

  test('is not sent by a worker that was frozen after its reservation, and the money is free again', async () => {
    frozenMs = 3_001;
    expect((await callModel()).outcome).toMatchObject({ type: 'failed', verdict: { class: 'connectionLost', billed: 'no' } });
    expect(sent).toEqual([]);
    expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: 0, settledNanoUsd: 0 });
  });
});

describe('an irreversible action', () => {
  test('is dispatched once by a worker that is in time, and not again by a retry', async () => {
    await approvedAction();
    sent.length = 0;
    expect(await pay()).toEqual({ type: 'done', isError: false });
    expect(await pay()).toEqual({ type: 'done', isError: false });
    expect(sent).toEqual(['pay']);
  });

  test('is not dispatched by a worker that was frozen after its intent, and its approval is used up', async () => {
    await approvedAction();
    sent.length = 0;
    frozenMs = 3_001;
    expect(await pay()).toEqual({ type: 'done', isError: true });
    frozenMs = 0;
    expect(await pay()).toEqual({ type: 'done', isError: true });
    expect(sent).toEqual([]);
    expect(await store.getGate(runKey, approvalId)).toMatchObject({ status: 'consumed' });
  });

  test('is not dispatched once its approval is older than the policy lets it be', async () => {
    await approvedAction();
    sent.length = 0;
    nowMs += task.gates.irreversible.approvalValidForMs;
    expect(await pay()).toMatchObject({ type: 'notPermitted', gateStatus: 'expired' });
    expect(sent).toEqual([]);
  });

  test('is asked for anew where this worker would send it somewhere else', async () => {
    await approvedAction();
    const moved = await workerWith({ destination: () => 'thief.example', dispatch: () => Promise.reject(new Error('sent')) });
    expect(await pay(moved)).toMatchObject({ type: 'reopen' });
    expect(await store.getGate(runKey, approvalId)).toMatchObject({ status: 'approved' });
  });

  test('found half done by a worker that would send it somewhere else is in doubt, and nothing is sent or asked there', async () => {
    await approvedAction();
    const dying = await workerWith({ destination: () => 'bank.example', dispatch: () => Promise.reject(new Error('the worker dies')) });
    await expect(pay(dying)).rejects.toThrow();
    nowMs += 3_001;
    const asked: string[] = [];
    const moved = await workerWith({
      destination: () => 'thief.example',
      dispatch: () => Promise.reject(new Error('sent')),
      reconcile: async () => {
        asked.push('thief.example');
        return { type: 'notDone', honoursIdempotencyKey: true };
      },
    });
    expect(await pay(moved)).toMatchObject({ type: 'inDoubt' });
    expect(asked).toEqual([]);
  });
});

describe('a store that was restored while something may have been under way', () => {
  const restore = () => store.appendAudit({ type: 'store.restored', runKey: null, actor: 'tollgate', data: {} });
  /** A second execution of an activity, first scheduled so long before now. */
  const again = (agoMs: number): Info => ({ attempt: 2, scheduledTimestampMs: nowMs - agoMs });

  test('lacks a model call: nothing is sent, the run stops in doubt', async () => {
    await restore();
    await expect(callModel(again(60_000))).rejects.toMatchObject({ type: 'journalMissing', nonRetryable: true });
    expect(sent).toEqual([]);
  });

  test('lacks an action: nothing is sent, and its approval is not used up', async () => {
    await approvedAction();
    sent.length = 0;
    await restore();
    await expect(pay(activities, again(60_000))).rejects.toMatchObject({ type: 'journalMissing' });
    expect(sent).toEqual([]);
    expect(await store.getGate(runKey, approvalId)).toMatchObject({ status: 'approved' });
  });

  test('is no reason to stop what was first asked for after it', async () => {
    await restore();
    nowMs += 60_000;
    expect((await callModel(again(30_000))).outcome).toMatchObject({ type: 'reply' });
    expect(sent).toEqual(['model']);
  });
});
