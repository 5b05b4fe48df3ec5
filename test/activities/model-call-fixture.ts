import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach } from 'vitest';
import { createActivities } from '../../activities/index.ts';
import type { Activities } from '../../activities/port.ts';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { openLocalKeyring } from '../../adapters/keys/local-keyring.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { CallModelOutcome, PinTaskOutcome } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { ModelReply, TokenUsage } from '../../contracts/model.ts';
import { taskDefinitionSchema } from '../../contracts/task.ts';
import type { ModelEndpoint, ProviderResult } from '../../domain/model/provider-port.ts';
import type { Store } from '../../domain/store/port.ts';

export const runKey = { agentRunId: 'call', firstExecutionRunId: 'first' } as RunKey;
export const attemptId = 'attempt-1' as AttemptId;
export const usage: TokenUsage = { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 10, reasoningTokens: 0 };
/** What `usage` costs here, in nano-USD. */
export const COST = 20_000;
export const reply: ModelReply = { text: 'Yes.', refusal: null, toolCalls: [], finishReason: 'stop', responseId: null, responseModel: null, serviceTier: null };
export const answered: ProviderResult = { type: 'reply', reply, usage };

const task = taskDefinitionSchema.parse({
  version: 1,
  name: 'call',
  prompt: 'You answer.',
  models: [{ model: 'm' }],
  maxOutputTokens: 100,
  budgetLimitNanoUsd: 1_000_000_000,
  gates: { irreversible: { role: 'lead' } },
  limits: {},
});
const price = { model: 'm', source: 'test', input: { picoUsdPerToken: 1_000_000 }, output: { picoUsdPerToken: 1_000_000 } };
const entry = { model: 'm', wireModel: 'm', provider: 'test', endpoint: 'e', api: 'responses', background: false, price, missingKey: null } as const;

/** A store of the running test, and one attempt's call through an endpoint that the test plays. */
export class ModelCall {
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-call-'));
  store!: Store;
  /** What the endpoint does; a test sets what it needs. */
  endpoint: Partial<ModelEndpoint> = {};
  #activities!: Activities;
  #pinned!: PinTaskOutcome;

  async open(): Promise<void> {
    this.store = await openSqliteStore({ path: join(this.folder, 'tollgate.db') });
    const { signer, verifier } = await openLocalKey(this.folder);
    const endpoint = (): ModelEndpoint => ({
      bodyBytes: () => 1_000,
      send: () => Promise.reject(new Error('sent')),
      awaitResponse: () => Promise.reject(new Error('asked')),
      cancelResponse: async () => undefined,
      ...this.endpoint,
    });
    this.#activities = createActivities({
      store: this.store,
      catalogue: { find: () => entry, endpoint, listed: () => ['m'] },
      registry: { tasks: new Map([[task.name, task]]), tools: new Map() },
      runtimeOf: () => {
        throw new Error('no tools');
      },
      verifier,
      unsignedSigner: signer,
      requesterMayDecideByDefault: true,
      redaction: { ...openEngine({}), keyring: openLocalKeyring(this.folder, this.store) },
    });
    this.#pinned = await new MockActivityEnvironment().run(() =>
      this.#activities.pinTask({
        version: 1,
        runKey,
        task: { type: 'named', name: 'call' },
        input: { message: 'Hi' },
        tenant: 't',
        feature: 'f',
        requester: 'r',
      }),
    );
  }

  /** One execution of the activity: the first sends, another recovers. */
  run(environment = new MockActivityEnvironment()): Promise<CallModelOutcome> {
    const { head } = this.#pinned;
    return environment.run(() => this.#activities.callModel({ version: 1, runKey, attemptId, step: 1, ordinal: 1, candidateIndex: 0, head, mode: 'step' }));
  }

  async close(): Promise<void> {
    await this.store.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A fresh call for each test of the file. */
export function eachCall(): { readonly now: ModelCall } {
  const place = {} as { now: ModelCall };
  beforeEach(async () => {
    place.now = new ModelCall();
    await place.now.open();
  });
  afterEach(() => place.now.close());
  return place;
}
