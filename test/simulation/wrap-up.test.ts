import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { ActivityPorts } from '../../activities/ports.ts';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { PinnedTask, RunEnd, RunPosition } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey, ToolCallId } from '../../contracts/ids.ts';
import type { ModelReply, ModelRequest } from '../../contracts/model.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import { decideNextAction } from '../../domain/agent-run/next-action.ts';
import { acceptReply, completeCall, failStep, fallShort, startPosition } from '../../domain/agent-run/position.ts';
import { CHAIN_START, decideNextTry } from '../../domain/model/next-attempt.ts';
import type { ModelEndpoint } from '../../domain/model/provider-port.ts';
import type { Store } from '../../domain/store/port.ts';
import { newAttempt, startRun, usd } from '../support/store-contract/fixtures.ts';
import { seededRandom } from '../support/seeded-random.ts';

const SEED = Number(process.env.TOLLGATE_SEED ?? 20_261_125);
const RUNS = 60;
const EXPENSIVE = { model: 'expensive', source: 'test', input: { picoUsdPerToken: 4_000_000 }, output: { picoUsdPerToken: 30_000_000 } };
const CHEAP = { model: 'cheap', source: 'test', input: { picoUsdPerToken: 1_000_000 }, output: { picoUsdPerToken: 8_000_000 } };
const base = { provider: 'test', endpoint: 'e', api: 'chat', background: false, missingKey: null } as const;
const entries = new Map([EXPENSIVE, CHEAP].map((price) => [price.model, { ...base, model: price.model, wireModel: price.model, price }]));

let folder: string;
let store: Store;
let ports: ActivityPorts;
let random: () => number;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-wrap-'));
  store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  const { verifier } = await openLocalKey(folder);
  ports = {
    store,
    catalogue: { find: (model) => entries.get(model) ?? null, endpoint: () => endpoint, listed: () => [...entries.keys()] },
    registry: { tasks: new Map(), tools: new Map() },
    runtimeOf: () => ({
      destination: () => 'nowhere',
      dispatch: () => Promise.reject(new Error('no tool is carried out here')),
    }),
    verifier,
    unsignedSigner: null,
    requesterMayDecideByDefault: true,
    redaction: { ...openEngine({}), keyring: openLocalKeyring(folder, store) },
  };
});
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks for a tool as long as it may, answers in words when it may not; uses what it likes within its bound. */
const endpoint: ModelEndpoint = {
  bodyBytes: (request) => Buffer.byteLength(JSON.stringify(request.messages)) + Buffer.byteLength(JSON.stringify(request.tools)),
  send: async (request) => {
    const inputTokens = 1 + Math.floor(random() * endpoint.bodyBytes(request));
    const outputTokens = 1 + Math.floor(random() * request.maxOutputTokens);
    return { type: 'reply', reply: replyTo(request), usage: { inputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens, reasoningTokens: 0 } };
  },
  awaitResponse: () => Promise.reject(new Error('not in the background')),
  cancelResponse: async () => undefined,
};

function replyTo({ toolChoice }: ModelRequest): ModelReply {
  const toolCalls = toolChoice === 'none' ? [] : [{ toolCallId: randomUUID() as ToolCallId, name: 'look', argumentsText: '{}' }];
  const text = toolChoice === 'none' ? 'the last answer' : null;
  return { text, refusal: null, toolCalls, finishReason: 'stop', responseId: null, responseModel: null, serviceTier: null };
}

interface Case {
  readonly budgetNanoUsd: number;
  readonly budgetTokens: number | undefined;
  readonly models: readonly string[];
  readonly maxAttemptsPerStep: number;
  /** How much a child of the run tries to take of its budget between steps. */
  readonly childTakes: number;
}

function drawCase(): Case {
  return {
    budgetNanoUsd: Math.floor(random() ** 2 * 40_000_000),
    budgetTokens: random() < 0.3 ? Math.floor(random() * 12_000) + 1 : undefined,
    models: random() < 0.5 ? ['expensive', 'cheap'] : random() < 0.5 ? ['cheap', 'expensive'] : ['expensive'],
    maxAttemptsPerStep: random() < 0.5 ? 1 : 4,
    childTakes: random() < 0.5 ? Math.floor(random() * 5_000_000) : 0,
  };
}

/** The run as its workflow takes it, by the same decisions, without Temporal. */
async function play(what: Case): Promise<{ readonly end: RunEnd; readonly runKey: RunKey; readonly steps: number }> {
  const activities = createActivities(ports);
  const inActivity = <T>(body: () => Promise<T>): Promise<T> => new MockActivityEnvironment().run(body);
  const runKey = { agentRunId: randomUUID(), firstExecutionRunId: randomUUID() } as unknown as RunKey;
  const task = taskDefinitionSchema.parse({
    version: 1,
    name: 'wrap',
    prompt: 'p'.repeat(1 + Math.floor(random() * 400)),
    models: what.models.map((model) => ({ model })),
    maxOutputTokens: 1 + Math.floor(random() * 300),
    budgetLimitNanoUsd: what.budgetNanoUsd,
    ...(what.budgetTokens === undefined ? {} : { budgetLimitTokens: what.budgetTokens }),
    onBudgetExhausted: 'wrapUp',
    tools: [{ name: 'look', parameters: { type: 'object' }, effect: 'read', binding: { type: 'function' } }],
    gates: { irreversible: {} },
    limits: { maxAttemptsPerStep: what.maxAttemptsPerStep, maxSteps: 200 },
  });
  const contentDigest = await store.putContent(JSON.stringify(task));
  const input = { message: 'Please look.' };
  const reference = { type: 'stored', name: 'wrap', contentDigest } as const;
  const pinned = await inActivity(() => activities.pinTask({ version: 1, runKey, task: reference, input, tenant: 't', feature: 'f', requester: 'r' }));
  let position = startPosition(pinned.head, pinned.ledger);
  for (;;) {
    const action = decideNextAction(position, pinned.pinned);
    if (action.type === 'finish') return { end: action.end, runKey, steps: position.step };
    if (action.type === 'executeTools') {
      const nodeId = `${position.replyAttemptId}:0`;
      const text = 'r'.repeat(Math.floor(random() * 2_000));
      await store.putNode(runKey, nodeId, { role: 'tool', toolCallId: 'c' as ToolCallId, name: 'look', text, isError: false });
      position = completeCall(position, 0, nodeId);
      if (what.childTakes > 0) await takeAsChild(runKey, what.childTakes);
    } else if (action.type === 'callModel') position = await callModel(position, pinned.pinned, action.mode);
    else throw new Error(`a run that only reads does not ${action.type}`);
  }

  async function callModel(before: RunPosition, { models }: PinnedTask, mode: 'step' | 'wrapUp'): Promise<RunPosition> {
    const current = mode === 'wrapUp' ? { ...before, wrappingUp: true } : before;
    const limits = { candidates: models.length, maxAttempts: what.maxAttemptsPerStep, maxWaitMs: 0, maxQuotaWaitMs: 0, leftMs: Number.POSITIVE_INFINITY };
    for (let walk = CHAIN_START; ; ) {
      const { candidateIndex, asked } = walk;
      const attempt = {
        version: 1,
        runKey,
        attemptId: randomUUID() as AttemptId,
        step: current.step,
        ordinal: asked,
        candidateIndex,
        head: current.head,
        mode,
      } as const;
      const outcome = await inActivity(() => activities.callModel(attempt));
      if (outcome.type === 'reply') return acceptReply(current, outcome);
      const next = decideNextTry(walk, outcome, limits, () => 0);
      if (next.type === 'giveUp') return next.outcome.type === 'failed' ? failStep(current, pinned.pinned, next.outcome, 0) : fallShort(current, next.outcome);
      walk = next.walk;
    }
  }
}

async function takeAsChild(parent: RunKey, amount: number): Promise<void> {
  const child = await startRun(store, { parentRunKeys: [parent], limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
  const attempt = newAttempt(child, { reservedNanoUsd: usd(amount), reservedTokens: 500 });
  if ((await store.reserveAttempt(attempt)).type === 'reserved') await store.moveMoney(child, attempt.attemptId, { type: 'settle', costNanoUsd: usd(amount) });
}

test(`a run that wraps up always gives a last answer, or could not pay for any from the start (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const { below } = seededRandom(SEED);
  random = () => below(1_000_000) / 1_000_000;
  const seen = { answered: 0, never: 0, afterSteps: 0 };
  for (let run = 0; run < RUNS; run += 1) {
    const what = drawCase();
    const { end, runKey, steps } = await play(what);
    const shown = JSON.stringify({ seed: SEED, run, ...what, end, steps });
    const attempts = await store.listAttempts(runKey);
    const ledger = await store.getLedger(runKey);
    expect(end.status, shown).toBe('budgetExhausted');
    expect((ledger?.settledNanoUsd ?? 0) + (ledger?.heldNanoUsd ?? 0), shown).toBeLessThanOrEqual(what.budgetNanoUsd);
    if (end.outputAttemptId) {
      seen.answered += 1;
      if (attempts.length > 1) seen.afterSteps += 1;
      expect(attempts.find(({ attemptId }) => attemptId === end.outputAttemptId)?.reply?.text, shown).toBe('the last answer');
    } else {
      seen.never += 1;
      expect(attempts, shown).toEqual([]);
      expect(end.message, shown).toContain('does not pay for a last answer either');
    }
  }
  // The cases are worth something only if all of it happens.
  expect(Math.min(seen.answered, seen.never, seen.afterSteps)).toBeGreaterThan(5);
});
