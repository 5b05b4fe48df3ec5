import { releaseGate, takeGate } from '../../client/gate-claim.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { clientSealer } from '../../adapters/keys/client-sealer.ts';
import { openEngine } from '../../adapters/redaction/engine.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { newApiKey } from '../../client/api-key.ts';
import type { Identity } from '../../client/decision.ts';
import { createHttpApi, type HttpApiOptions } from '../../client/http/app.ts';
import { giveFeedback } from '../../client/feedback.ts';
import { createMoneyDoor } from '../../client/money-door.ts';
import { createRunReader } from '../../client/run-reader.ts';
import type { ClientRedaction } from '../../client/redaction.ts';
import { reportUsage } from '../../client/usage-report.ts';
import type { RunsDoor } from '../../client/runs-door.ts';
import { createStandingDoor } from '../../client/standing-door.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import type { Store } from '../../domain/store/port.ts';
import { newGate, startRun } from './store-contract/fixtures.ts';

/** An API over a real store, in this process, without Temporal. What would change a run is written down instead. */
export interface ApiFixture {
  readonly app: FastifyInstance;
  readonly store: Store;
  /** A run of tenant acme with an open gate. */
  readonly run: RunKey;
  readonly gate: GateRecord;
  /** What was done, and in whose name. */
  readonly done: string[];
  key(options: { readonly scopes: readonly string[]; readonly tenant?: string; readonly roles?: readonly string[]; readonly name?: string }): Promise<{
    readonly secret: string;
    readonly keyId: string;
  }>;
  close(): Promise<void>;
}

export async function openApiFixture(options: Partial<HttpApiOptions> & { readonly door?: Partial<RunsDoor> } = {}): Promise<ApiFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-http-'));
  const store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  const run = await startRun(store, { tenant: 'acme' });
  const gate = await store.createGate(newGate(run));
  const done: string[] = [];
  const { door, ...rest } = options;
  const app = await createHttpApi({
    store,
    doorOf: (identity) => ({ ...writtenDown(store, identity, done), ...door }),
    isTemporalUp: async () => true,
    developer: { name: 'developer', roles: ['*'] },
    developerBesideKeys: false,
    scrub: (text) => text,
    ...rest,
  });
  return {
    app,
    store,
    run,
    gate,
    done,
    async key({ scopes, roles = [], name = 'shop', tenant }) {
      const { key, secret } = newApiKey({ name, scopes, roles, ...(tenant === undefined ? {} : { tenant }) });
      await store.putApiKey(key);
      return { secret, keyId: key.keyId };
    },
    async close() {
      await app.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const plainRedaction = async (): Promise<ClientRedaction> => ({ engine: openEngine({}), sealer: clientSealer, publicKey: async () => null });

function writtenDown(store: Store, identity: Identity, done: string[]): RunsDoor {
  const act = <T>(what: string, answer: T): Promise<T> => {
    done.push(`${identity.name} ${what}`);
    return Promise.resolve(answer);
  };
  const accepted = { type: 'accepted', gateStatus: 'approved', message: 'The gate is approved.' } as const;
  return {
    ...createRunReader({ openStore: async () => store, glance: async () => null, storeName: () => 'the store' }),
    ...createMoneyDoor({
      openStore: async () => store,
      connect: () => Promise.reject(new Error('no Temporal here')),
      actor: () => identity.name,
      taskQueue: () => 'x',
    }),
    ...createStandingDoor({
      openStore: async () => store,
      signer: async () => ({ sign: () => 'body.signature', signStatement: (said) => `${Buffer.from(JSON.stringify(said)).toString('base64url')}.signature` }),
      identity: () => identity,
      scrub: async (text) => text,
      policiesOf: async () => [],
    }),
    decideBatch: ({ decisions }) => act(`decide ${decisions.length}`, []),
    reconcile: ({ agentRunId } = {}) => act(`reconcile ${agentRunId ?? 'everything'}`, { type: 'running', reconciliationId: 'r' }),
    start: (_task, _input, options) => act(`start for ${options?.tenant}`, { agentRunId: 'new' as never, firstExecutionRunId: 'first' }),
    describe: async (agentRunId) => ({
      runKey: { agentRunId: agentRunId as never, firstExecutionRunId: 'first' },
      tenant: null,
      temporalStatus: 'RUNNING',
      startedAt: new Date(0),
      closedAt: null,
      view: null,
    }),
    usage: (query = {}) => reportUsage(store, query),
    feedback: (id, feedback) => giveFeedback({ store, redaction: plainRedaction, actor: identity.name }, id, feedback),
    cancel: (id) => act(`cancel ${id}`, { type: 'requested' }),
    repair: (id, { type }) => act(`${type} ${id}`, { type: 'accepted', repairId: 'repair-1', message: 'It was done.' }),
    signRepair: (id, { type }) =>
      act(`sign ${type} ${id}`, { agentRunId: id, update: type, payload: { signed: 'signed' }, expiresAt: new Date(0).toISOString() }),
    addUserMessage: (id) => act(`message ${id}`, { messageId: 'm' }),
    approve: (id) => act(`approve ${id}`, accepted),
    deny: (id) => act(`deny ${id}`, accepted),
    withdraw: (id) => act(`withdraw ${id}`, accepted),
    edit: (id) => act(`edit ${id}`, accepted),
    ask: (id, { questionId = 'made-up' }) => act(`ask ${id}`, { type: 'accepted', questionId, gateStatus: 'open', message: 'The agent is asked.' }),
    take: (id) => takeGate(store, identity, id as ApprovalId),
    release: (id) => releaseGate(store, identity, id as ApprovalId),
    signDecision: (id, { verdict, actionDigest }) =>
      act(`sign ${id}`, {
        agentRunId: 'run',
        signal: verdict,
        payload: { approvalId: id as never, actionDigest: actionDigest as never, signedDecision: 'signed' },
        expiresAt: new Date(0).toISOString(),
      }),
  };
}
