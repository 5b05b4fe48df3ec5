import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { CallModelOutcome } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { ModelReply, TokenUsage } from '../../contracts/model.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { Store } from '../../domain/store/port.ts';

const reply: ModelReply = { text: 'Hello.', refusal: null, toolCalls: [], finishReason: 'stop', responseId: null, responseModel: null, serviceTier: null };
/** One nano-USD a token, so that an amount is a number of tokens. */
const price = { model: 'm', source: 'test', input: { picoUsdPerToken: 1_000 }, output: { picoUsdPerToken: 1_000 } };
const entry = { model: 'm', wireModel: 'm', provider: 'test', endpoint: 'e', api: 'chat', background: false, price, missingKey: null } as const;

let folder: string;
let store: Store;
let counted: number;
let usage: TokenUsage;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-bound-'));
  store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  counted = 0;
  usage = { inputTokens: 200, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 10, reasoningTokens: 0 };
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Bytes bound the input of a call at some 4,100 tokens, the tokenizer at 300. */
const endpoint: ModelEndpoint = {
  bodyBytes: () => 4_000,
  tokenBound: async () => {
    counted += 1;
    return 300;
  },
  send: async () => ({ type: 'reply', reply, usage }),
  awaitResponse: () => Promise.reject(new Error('not in the background')),
  cancelResponse: async () => undefined,
};

async function call(
  budget: number,
  { id = 'run', at = endpoint, wrapsUp = false }: { id?: string; at?: ModelEndpoint; wrapsUp?: boolean } = {},
): Promise<CallModelOutcome> {
  const task = taskDefinitionSchema.parse({
    version: 1,
    name: 'bound',
    prompt: 'You answer.',
    models: [{ model: 'm' }],
    maxOutputTokens: 100,
    budgetLimitNanoUsd: budget,
    onBudgetExhausted: wrapsUp ? 'wrapUp' : 'fail',
    gates: { irreversible: { role: 'lead' } },
    limits: {},
  });
  const { signer, verifier } = await openLocalKey(folder);
  const activities = createActivities({
    store,
    catalogue: { find: () => entry, endpoint: () => at, listed: () => ['m'] },
    registry: { tasks: new Map([[task.name, task]]), tools: new Map() },
    runtimeOf: () => Promise.reject(new Error('no tools')) as never,
    verifier,
    unsignedSigner: signer,
    requesterMayDecideByDefault: true,
    redaction: { ...openEngine({}), keyring: openLocalKeyring(folder, store) },
  });
  const runKey = { agentRunId: id, firstExecutionRunId: 'first' } as RunKey;
  const inActivity = <T>(body: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(body);
  const { head } = await inActivity(() =>
    activities.pinTask({ version: 1, runKey, task: { type: 'named', name: 'bound' }, input: { message: 'Hi.' }, tenant: 't', feature: 'f', requester: 'r' }),
  );
  return await inActivity(() =>
    activities.callModel({ version: 1, runKey, attemptId: `${id}-1` as AttemptId, step: 1, ordinal: 1, candidateIndex: 0, head, mode: 'step' }),
  );
}

const reservedOf = async (id: string) => (await store.findAttempt(`${id}-1` as AttemptId))?.attempt.reservedNanoUsd ?? null;

test('where the budget has room, a call is bounded by its bytes and nothing is counted', async () => {
  expect(await call(10_000)).toMatchObject({ type: 'reply' });
  expect([await reservedOf('run'), counted]).toEqual([expect.toSatisfy((amount) => amount > 4_100 && amount < 4_300), 0]);
});

test('where the bytes do not fit, the tokens are counted, and what fits by them is sent', async () => {
  expect(await call(400)).toMatchObject({ type: 'reply' });
  expect([await reservedOf('run'), counted]).toEqual([400, 1]);
});

test('what fits by neither is not sent, and says what it needs as closely as that is known', async () => {
  expect(await call(399)).toMatchObject({ type: 'budgetDenied', neededNanoUsd: 400 });
  expect(await reservedOf('run')).toBeNull();
});

test('without a tokenizer bytes are all there is', async () => {
  const { tokenBound: _none, ...plain } = endpoint;
  for (const at of [plain, { ...plain, tokenBound: async () => null }]) expect(await call(4_000, { at })).toMatchObject({ type: 'budgetDenied' });
  expect(await reservedOf('run')).toBeNull();
});

test('what is set aside for a last answer is bounded in the same way as the call', async () => {
  expect(await call(800, { wrapsUp: true })).toMatchObject({ type: 'reply' });
  expect(await call(799, { id: 'short', wrapsUp: true })).toMatchObject({ type: 'budgetDenied', neededNanoUsd: 800 });
});

test('after an overrun the next call of the model reserves by as much more, on every worker', async () => {
  usage = { ...usage, inputTokens: 1_500, outputTokens: 100 };
  expect(await call(400)).toMatchObject({ type: 'reply', ledger: { settledNanoUsd: 1_600, overrunNanoUsd: 1_200 } });
  expect(await store.boundPerMille('m', 'e')).toBe(4_000);
  expect(await call(1_599, { id: 'second' })).toMatchObject({ type: 'budgetDenied', neededNanoUsd: 1_600 });
  expect(await call(1_600, { id: 'third' })).toMatchObject({ type: 'reply', ledger: { settledNanoUsd: 1_600, overrunNanoUsd: 0 } });
});
