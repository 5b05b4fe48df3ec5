import type { FastifyInstance, InjectOptions } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTokenVerifier } from '../../adapters/identity/token-verifier.ts';
import { createLoginFlow } from '../../adapters/identity/login-flow.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { AUDIENCE, KeyServer } from '../support/issuer.ts';

const claims = { roles: 'roles', tenant: 'tenant', displayName: 'name' };
const rates = { address: 1_000, caller: 1_000, decide: 1_000, login: 1_000 };

let issuer: KeyServer;
let api: ApiFixture;
beforeEach(async () => {
  issuer = await KeyServer.listen();
});
afterEach(async () => {
  await api.close();
  await issuer.close();
});

async function open(limits: Partial<typeof rates> = {}, options: { readonly publicUrl?: string; readonly trustedProxies?: readonly string[] } = {}) {
  const { trustedProxies = [], ...more } = options;
  const of = { issuer: issuer.url, claims };
  const login = { flow: createLoginFlow({ ...of, client: { id: 'tollgate', scopes: 'openid' } }), sessionKeys: [new Uint8Array(32)], lifetimeMs: 60_000 };
  api = await openApiFixture({
    people: { tokens: createTokenVerifier({ ...of, audience: AUDIENCE }), login, publicUrl: 'https://tollgate.example', ...more },
    rates: { ...rates, ...limits },
    trustedProxies,
  });
}
const withToken = async (request: InjectOptions, token: string | Promise<string>) =>
  await api.app.inject({ ...request, headers: { ...request.headers, authorization: `Bearer ${await token}` } });
const decision = (): InjectOptions => ({
  method: 'POST',
  url: `/v1/approvals/${api.gate.approvalId}/decisions`,
  payload: { verdict: 'approve', actionDigest: api.gate.actionDigest },
});

describe('a person with an access token', () => {
  beforeEach(() => open());

  test('sees, decides and signs only what asks for a role of theirs, in their tenant; the rest is not there', async () => {
    const role = api.gate.policy.role;
    const tokens = {
      theirs: issuer.token({ roles: [role] }),
      'another role': issuer.token({ roles: ['other'] }),
      'no role': issuer.token({ roles: undefined }),
      'every role, by their own word': issuer.token({ roles: ['*'] }),
      'another tenant': issuer.token({ roles: [role], tenant: 'globex' }),
    };
    for (const [name, token] of Object.entries(tokens)) {
      const list = await withToken({ url: '/v1/approvals' }, token);
      const shown = await withToken({ url: `/v1/approvals/${api.gate.approvalId}` }, token);
      const decided = await withToken(decision(), token);
      const signed = await withToken({ ...decision(), url: `/v1/approvals/${api.gate.approvalId}/signed-decisions` }, token);
      const inbox = await withToken({ url: '/v1/inbox' }, token);
      const context = await withToken({ url: `/v1/approvals/${api.gate.approvalId}/context` }, token);
      const isTheirs = name === 'theirs';
      expect([name, inbox.json().gates.length, inbox.json().total, context.statusCode]).toEqual([name, ...(isTheirs ? [1, 1, 200] : [0, 0, 404])]);
      expect([name, list.json().length, ...[shown, decided, signed].map(({ statusCode }) => statusCode)]).toEqual([
        name,
        ...(isTheirs ? [1, 200, 200, 200] : [0, 404, 404, 404]),
      ]);
    }
    expect(api.done).toHaveLength(2);
  });

  test('is somebody without a name of a key, reads, decides and repairs as their roles allow, and neither starts runs nor gives money up', async () => {
    const token = issuer.token({ name: 'Alice' });
    expect((await withToken({ url: '/v1/me' }, token)).json()).toEqual({
      name: `oidc:${issuer.url.slice('http://'.length)}#alice`,
      displayName: 'Alice',
      roles: ['support-lead'],
      tenant: 'acme',
      scopes: ['read', 'decide', 'repair'],
      signedIn: true,
    });
    expect((await withToken({ method: 'POST', url: '/v1/runs', payload: { task: 't', input: {} } }, token)).statusCode).toBe(403);
    expect((await withToken({ method: 'POST', url: '/v1/attempts/x/write-off', payload: { reason: 'lost' } }, token)).statusCode).toBe(403);
    expect(api.done).toEqual([]);
  });

  test('that does not count gets 401, and 503 while the issuer cannot be asked; keys go on then, and nobody is the developer', async () => {
    for (const token of [issuer.token({ aud: 'other' }), issuer.token({ exp: 1 }), 'a.b.c', 'opaque'])
      expect((await withToken({ url: '/v1/runs' }, token)).json()).toMatchObject({ status: 401, failureType: 'unauthenticated' });
    const { secret } = await api.key({ scopes: ['read'] });
    await api.close();
    const token = await issuer.token();
    await open();
    await issuer.close();
    await api.key({ scopes: ['read'] });
    const down = await withToken({ url: '/v1/runs' }, token);
    expect([down.statusCode, down.headers['retry-after'], down.json().failureType]).toEqual([503, '1', 'identityUnavailable']);
    expect((await api.app.inject('/login')).statusCode).toBe(503);
    expect((await api.app.inject('/v1/runs')).statusCode).toBe(401);
    expect((await withToken({ url: '/v1/runs' }, secret)).statusCode).toBe(401);
    expect((await withToken({ url: '/v1/runs' }, (await api.key({ scopes: ['read'] })).secret)).statusCode).toBe(200);
    issuer = await KeyServer.listen();
  });
});

describe('headers', () => {
  const policyOf = ({ headers }: { readonly headers: Record<string, unknown> }) => String(headers['content-security-policy']);

  test('let answers of the API render, run, frame and remember nothing, refusals too', async () => {
    await open();
    for (const url of ['/v1/me', '/v1/openapi.json', '/healthz', '/none', '/%zz']) {
      const response = await api.app.inject(url);
      expect([url, policyOf(response)]).toEqual([url, expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/)]);
      expect(response.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
        'cross-origin-resource-policy': 'same-origin',
      });
      expect(response.headers).not.toHaveProperty('access-control-allow-origin');
      expect(response.headers).not.toHaveProperty('x-powered-by');
    }
    expect((await api.app.inject('/healthz')).headers['strict-transport-security']).toMatch(/max-age=31536000/);
  });

  test('let a page run files of this site alone', async () => {
    await open({}, { publicUrl: 'http://127.0.0.1:7480' });
    addPage(api.app);
    for (const url of ['/inbox/x-test', '/inbox/']) {
      const response = await api.app.inject(url);
      expect([url, policyOf(response)]).toEqual([url, expect.stringMatching(/script-src 'self'.*frame-ancestors 'none'/)]);
      expect(policyOf(response)).not.toContain('unsafe');
      expect(response.headers).toMatchObject({ 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff' });
      expect(response.headers).not.toHaveProperty('strict-transport-security');
    }
  });
});

function addPage(app: FastifyInstance): void {
  app.get('/inbox/x-test', { config: { scope: 'public' }, schema: { hide: true } }, async (_request, reply) => reply.type('text/html').send('<!doctype html>'));
}

describe('limits', () => {
  const statuses = async (count: number, send: () => Promise<{ readonly statusCode: number }>) => {
    const seen: number[] = [];
    for (let sent = 0; sent < count; sent += 1) seen.push((await send()).statusCode);
    return seen;
  };

  test('are by caller: one who is over waits, and says nothing of others', async () => {
    await open({ caller: 3 });
    const [alice, bob] = [await issuer.token({ sub: 'alice' }), await issuer.token({ sub: 'bob' })];
    expect(await statuses(5, () => withToken({ url: '/v1/me' }, alice))).toEqual([200, 200, 200, 429, 429]);
    expect(await statuses(1, () => withToken({ url: '/v1/me' }, bob))).toEqual([200]);
    const over = await withToken({ url: '/v1/me' }, alice);
    expect(Number(over.headers['retry-after'])).toBeGreaterThan(1);
    expect(over.json()).toMatchObject({ failureType: 'tooManyRequests' });
  });

  test('are tighter on decisions, and do not count what is only read', async () => {
    await open({ decide: 2 });
    const token = await issuer.token({ roles: [api.gate.policy.role] });
    expect(await statuses(3, () => withToken(decision(), token))).toEqual([200, 200, 429]);
    expect(await statuses(3, () => withToken({ url: '/v1/approvals' }, token))).toEqual([200, 200, 200]);
    expect(api.done).toHaveLength(2);
  });

  test('are tighter on logins, by address, which nobody can make up', async () => {
    await open({ login: 2 });
    const login = () => api.app.inject({ url: '/login/callback', headers: { 'x-forwarded-for': `203.0.113.${Math.floor(Math.random() * 256)}` } });
    expect(await statuses(3, login)).toEqual([401, 401, 429]);
  });

  test('are by the address that a trusted proxy names, and by nobody else’s word', async () => {
    await open({ login: 1 }, { trustedProxies: ['127.0.0.1'] });
    const from = (address: string) => api.app.inject({ url: '/login/callback', remoteAddress: '127.0.0.1', headers: { 'x-forwarded-for': address } });
    expect([(await from('203.0.113.1')).statusCode, (await from('203.0.113.2')).statusCode, (await from('203.0.113.1')).statusCode]).toEqual([401, 401, 429]);
  });

  test('are by address before anybody asks who it is, also for what is public and what is not there', async () => {
    await open({ address: 4 });
    const urls = ['/healthz', '/none', '/v1/me', '/v1/openapi.json', '/healthz', '/v1/me'];
    const seen: number[] = [];
    for (const url of urls) seen.push((await api.app.inject(url)).statusCode);
    expect(seen).toEqual([200, 404, 401, 200, 429, 429]);
  });

  test('never keep the developer at this machine from anything', async () => {
    api = await openApiFixture({ rates: { ...rates, caller: 1, decide: 1 } });
    expect(await statuses(4, () => api.app.inject(decision()))).toEqual([200, 200, 200, 200]);
  });
});

test('a decision is small: a larger body is not even read', async () => {
  await open();
  const request = decision();
  const response = await withToken(
    { ...request, payload: { ...(request.payload as object), comment: 'x'.repeat(70_000) } },
    issuer.token({ roles: [api.gate.policy.role] }),
  );
  expect([response.statusCode, api.done]).toEqual([413, []]);
});
