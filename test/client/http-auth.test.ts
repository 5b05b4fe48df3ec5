import type { InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secretDigestOf } from '../../client/api-key.ts';
import type { RunsDoor } from '../../client/runs-door.ts';
import { localObjection } from '../../client/http/auth.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

interface Door {
  readonly name: string;
  readonly request: InjectOptions;
  readonly scope: string;
  /** Whether it is about one run or one gate, which may be another tenant's. */
  readonly isAboutOne: boolean;
}

const BODIES: Readonly<Record<string, object>> = {
  startRun: { task: 'support', input: { message: 'hi' } },
  addUserMessage: { text: 'hi' },
  reconcile: {},
  writeOff: { reason: 'lost' },
  resetBound: { model: 'm', endpoint: 'e', reason: 'freak' },
  giveFeedback: { score: 1 },
  signDecision: { verdict: 'approve', actionDigest: 'b'.repeat(64) },
  pauseRun: { reason: 'stuck' },
  resumeRun: { reason: 'sound again' },
  repairRun: { type: 'skipStep', step: 1, reason: 'stuck' },
  signRepair: { type: 'pause', reason: 'stuck' },
  decideApproval: { verdict: 'approve', actionDigest: 'b'.repeat(64) },
  askAtGate: { actionDigest: 'b'.repeat(64), text: 'Why?' },
  takeGate: {},
  releaseGate: {},
};

/** Every route of the OpenAPI document that is not public: none can be forgotten. */
async function doors(): Promise<Door[]> {
  await api.app.ready();
  const { paths = {} } = api.app.swagger() as unknown as { paths?: Record<string, Record<string, { operationId: string; description?: string }>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, description }]) => {
      const scope = /Scope: (\w+)/.exec(description ?? '')?.[1];
      if (scope === undefined) return [];
      const url = path.replace('{agentRunId}', encodeURIComponent(api.run.agentRunId)).replace('{approvalId}', api.gate.approvalId);
      const body = BODIES[operationId];
      return [
        { name: operationId, scope, isAboutOne: url !== path, request: { method: method.toUpperCase() as 'GET', url, ...(body ? { payload: body } : {}) } },
      ];
    }),
  );
}

async function statusOf({ request }: Door, secret?: string): Promise<number> {
  const response = await api.app.inject({ ...request, ...(secret === undefined ? {} : { headers: { authorization: `Bearer ${secret}` } }) });
  if (response.statusCode >= 400) expect(response.json()).toMatchObject({ type: expect.stringMatching(/^urn:tollgate:failure:/), status: response.statusCode });
  return response.statusCode;
}

test('every route but health and the OpenAPI document asks for a key once there is one, for one that counts, and for its scope', async () => {
  const all = await doors();
  expect(all.map(({ name, scope }) => `${name} ${scope}`).toSorted()).toEqual([
    'addUserMessage start',
    'askAtGate decide',
    'cancelRun start',
    'decideApproval decide',
    'decideBatch decide',
    'delegate decide',
    'describeRun read',
    'exportAudit read',
    'followRun read',
    'getApproval read',
    'getApprovalContext read',
    'getInbox read',
    'getOpenMoney read',
    'getOverview read',
    'getRun read',
    'getRunResult read',
    'getStandingApproval read',
    'getTimeline read',
    'giveFeedback read',
    'grantStandingApproval decide',
    'liftStop decide',
    'listApprovals read',
    'listBounds read',
    'listDelegations read',
    'listHeldAttempts read',
    'listQuotas read',
    'listRuns read',
    'listStandingApprovals read',
    'listStops read',
    'pauseRun repair',
    'reconcile start',
    'releaseGate decide',
    'repairRun repair',
    'reportUsage read',
    'resetBound decide',
    'resumeRun repair',
    'revokeDelegation decide',
    'revokeStandingApproval decide',
    'signDecision decide',
    'signRepair repair',
    'signStandingApproval decide',
    'startRun start',
    'streamAudit read',
    'takeGate decide',
    'throwStop decide',
    'writeOff decide',
  ]);
  const revoked = await api.key({ scopes: ['start', 'read', 'decide', 'repair'], roles: ['*'] });
  await api.store.revokeApiKey(revoked.keyId);
  for (const door of all) {
    const others = ['start', 'read', 'decide', 'repair'].filter((scope) => scope !== door.scope);
    const wrongScope = await api.key({ scopes: others, roles: ['*'] });
    const statuses = [
      await statusOf(door),
      await statusOf(door, `tg_${'A'.repeat(43)}`),
      await statusOf(door, 'nonsense'),
      await statusOf(door, revoked.secret),
      await statusOf(door, wrongScope.secret),
    ];
    expect([door.name, ...statuses]).toEqual([door.name, 401, 401, 401, 401, 403]);
  }
  expect(api.done).toEqual([]);
  for (const url of ['/healthz', '/readyz', '/v1/openapi.json']) expect((await api.app.inject(url)).statusCode).toBe(200);
});

test('what belongs to another tenant is not there, on every route, in the very words for what is not there', async () => {
  const stranger = await api.key({ scopes: ['start', 'read', 'decide', 'repair'], roles: ['*'], tenant: 'globex' });
  const own = await api.key({ scopes: ['start', 'read', 'decide', 'repair'], roles: ['*'], tenant: 'acme' });
  const wordsOf = async ({ request }: Door, url: string) => {
    const response = await api.app.inject({ ...request, url, headers: { authorization: `Bearer ${stranger.secret}` } });
    const hidden = [api.run.agentRunId, 'no-such-thing', encodeURIComponent(api.gate.approvalId)];
    return { status: response.statusCode, words: hidden.reduce((text, id) => text.replaceAll(id, '…'), response.body) };
  };
  const about = (await doors()).filter(({ isAboutOne }) => isAboutOne);
  expect(about.length).toBe(19);
  for (const door of about) {
    const url = String(door.request.url);
    const foreign = await wordsOf(door, url);
    const missing = await wordsOf(door, url.replace(api.run.agentRunId, 'no-such-thing').replace(api.gate.approvalId, 'no-such-thing'));
    expect({ door: door.name, ...foreign }).toEqual({ door: door.name, ...missing });
    expect(foreign.status).toBe(404);
    if (door.name !== 'followRun') expect([door.name, await statusOf(door, own.secret)]).toEqual([door.name, expect.toSatisfy((status) => status < 300)]);
  }
  expect(api.done.filter((line) => line.startsWith('key:shop')).length, 'done by the key of the tenant itself').toBe(9);
  const as = { headers: { authorization: `Bearer ${stranger.secret}` } };
  for (const url of ['/v1/runs', '/v1/runs?tenant=acme', '/v1/approvals']) expect((await api.app.inject({ url, ...as })).json()).toEqual([]);
});

test('a key bound to a tenant starts runs for that tenant only, whatever the request says', async () => {
  const { secret } = await api.key({ scopes: ['start'], tenant: 'acme' });
  const start = (body: object) =>
    api.app.inject({ method: 'POST', url: '/v1/runs', headers: { authorization: `Bearer ${secret}` }, payload: { task: 't', input: {}, ...body } });
  expect((await start({})).statusCode).toBe(201);
  expect((await start({ tenant: 'acme' })).statusCode).toBe(201);
  expect((await start({ tenant: 'globex' })).json()).toMatchObject({ status: 403, failureType: 'forbidden' });
  expect(api.done).toEqual(['key:shop start for acme', 'key:shop start for acme']);
});

describe('a task sent as data with a key', () => {
  const definition = (binding: object) => ({
    version: 1,
    name: 'sent',
    prompt: 'x',
    models: [{ model: 'm' }],
    maxOutputTokens: 8,
    budgetLimitNanoUsd: 1,
    gates: { irreversible: {} },
    limits: {},
    tools: [{ name: 'tool', parameters: {}, effect: 'read', binding }],
  });
  const send = async (binding: object, contents: string[], headers: Record<string, string>) =>
    (await api.app.inject({ method: 'POST', url: '/v1/runs', headers, payload: { task: { definition: definition(binding), contents }, input: {} } })).json();

  test('may not call out: neither to an address with the secrets of the worker, nor into the code of the project', async () => {
    const headers = { authorization: `Bearer ${(await api.key({ scopes: ['start'] })).secret}` };
    const http = { type: 'http', url: 'https://example.com', secretHeaders: { 'x-key': 'OPENAI_API_KEY' } };
    for (const binding of [http, { type: 'function' }]) expect(await send(binding, [], headers)).toMatchObject({ status: 403, failureType: 'forbidden' });
    expect(await send({ type: 'recorded', contentDigest: '0'.repeat(64) }, [], headers)).toMatchObject({
      status: 400,
      detail: expect.stringContaining('tool'),
    });
    expect(api.done).toEqual([]);
    const recording = '{"name":"tool","arguments":{},"result":1}';
    const { createHash } = await import('node:crypto');
    const contentDigest = createHash('sha256').update(recording).digest('hex');
    expect(await send({ type: 'recorded', contentDigest }, [recording], headers)).toEqual({ agentRunId: 'new', firstExecutionRunId: 'first' });
  });

  test('may call out where the developer at this machine sends it', async () => {
    expect(await send({ type: 'http', url: 'https://example.com' }, [], {})).toMatchObject({ agentRunId: 'new' });
  });
});

describe('a request without a key', () => {
  const status = async (headers: Record<string, string> = {}) => (await api.app.inject({ url: '/v1/runs', headers })).statusCode;

  test('acts as the developer at this machine, until the first key is made, and never again after that', async () => {
    expect(await status()).toBe(200);
    const { keyId } = await api.key({ scopes: ['read'] });
    expect(await status()).toBe(401);
    await api.store.revokeApiKey(keyId);
    expect(await status()).toBe(401);
  });

  test('acts as the developer beside keys only where the configuration says so, and as nobody where it says that', async () => {
    await api.close();
    api = await openApiFixture({ developerBesideKeys: true });
    await api.key({ scopes: ['read'] });
    expect(await status()).toBe(200);
    expect(await status({ authorization: 'Bearer tg_wrong' })).toBe(401);
    await api.close();
    api = await openApiFixture({ developer: null });
    expect(await status()).toBe(401);
  });

  test('is nobody for an API that others can reach', async () => {
    await api.app.listen({ host: '0.0.0.0', port: 0 });
    const [{ port } = { port: 0 }] = api.app.addresses() as { port: number }[];
    const response = await fetch(`http://127.0.0.1:${port}/v1/runs`);
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="tollgate"']);
  });

  test('is nobody where a header says that it is not the developer’s own', async () => {
    const local = { host: '127.0.0.1:7480' };
    for (const headers of [
      { host: 'rebound.example:7480' },
      { host: '127.0.0.1.example' },
      { host: 'localhost.example' },
      { ...local, origin: 'https://evil.example' },
      { ...local, origin: 'null' },
      { ...local, origin: 'http://127.0.0.1:9999' },
      { ...local, 'sec-fetch-site': 'cross-site' },
      { ...local, 'sec-fetch-site': 'same-site' },
      { ...local, 'x-forwarded-for': '203.0.113.9' },
      { ...local, forwarded: 'for=203.0.113.9' },
      { ...local, authorization: 'Basic ZGV2OmRldg==' },
      { ...local, authorization: '' },
    ])
      expect([headers, await status(headers)]).toEqual([headers, 401]);
    for (const headers of [{ host: 'localhost:7480' }, { host: '[::1]:7480' }, { ...local, origin: 'http://127.0.0.1:7480', 'sec-fetch-site': 'same-origin' }])
      expect([headers, await status(headers)]).toEqual([headers, 200]);
  });

  test('is nobody where it came over the network', () => {
    const headers = { host: 'localhost' };
    for (const remoteAddress of ['203.0.113.9', '10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', undefined])
      expect(localObjection({ headers, remoteAddress })).not.toBeNull();
    for (const remoteAddress of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) expect(localObjection({ headers, remoteAddress })).toBeNull();
    expect(localObjection({ headers: {}, remoteAddress: '127.0.0.1' })).not.toBeNull();
  });
});

test('decisions go out in the name of the key, with its roles, whatever the body claims', async () => {
  const identities: unknown[] = [];
  await api.close();
  const approve = async () => ({ type: 'accepted', gateStatus: 'approved', message: 'ok' }) as const;
  api = await openApiFixture({
    doorOf: (identity) => {
      identities.push(identity);
      return { approve } as unknown as RunsDoor;
    },
  });
  const { secret } = await api.key({ name: 'alice', scopes: ['decide'], roles: ['support-lead'] });
  const send = (payload: object) =>
    api.app.inject({ method: 'POST', url: `/v1/approvals/${api.gate.approvalId}/decisions`, headers: { authorization: `Bearer ${secret}` }, payload });
  const claim = await send({ verdict: 'approve', actionDigest: 'b'.repeat(64), approver: 'bob', roles: ['*'] });
  expect(claim.json()).toMatchObject({ status: 400, detail: expect.stringContaining('approver') });
  expect((await send({ verdict: 'approve' })).json()).toMatchObject({ status: 400, detail: expect.stringContaining('actionDigest') });
  expect((await send({ verdict: 'deny' })).json()).toMatchObject({ status: 400, detail: expect.stringContaining('reason') });
  expect(identities).toEqual([]);
  expect((await send({ verdict: 'approve', actionDigest: 'b'.repeat(64) })).json()).toMatchObject({ type: 'accepted' });
  expect(identities).toEqual([{ name: 'key:alice', roles: ['support-lead'] }]);
});

test('the store keeps the digest of a secret and not the secret, and nothing but a whole secret has one', async () => {
  const { secret, keyId } = await api.key({ scopes: ['read'] });
  const [record] = await api.store.listApiKeys(1);
  expect(record).toMatchObject({ keyId, secretDigest: secretDigestOf(secret) });
  expect(JSON.stringify(record)).not.toContain(secret);
  for (const wrong of ['', 'tg_', secret.slice(0, -1), `${secret}A`, secret.replace('tg_', 'tk_'), ` ${secret}`]) expect(secretDigestOf(wrong)).toBeNull();
});
