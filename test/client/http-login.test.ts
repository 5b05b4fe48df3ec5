import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createLoginFlow } from '../../adapters/identity/login-flow.ts';
import { createTokenVerifier } from '../../adapters/identity/token-verifier.ts';
import { urlOf } from '../../client/http/app.ts';
import { returnPath } from '../../client/http/return-path.ts';
import { Browser } from '../support/browser.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { AUDIENCE, Issuer } from '../support/issuer.ts';

/** What the issuer calls support leads may approve the gate of the fixture. */
const claims = { roles: 'roles', tenant: 'tenant', displayName: 'name', roleMapping: { 'support-lead': ['approver'] } };
const client = { id: 'tollgate', secret: 'a secret of the client', scopes: 'openid profile' };
const CSRF = 'x-tollgate-csrf';

let issuer: Issuer;
let api: ApiFixture;
let url: string;
let nowMs: number;
beforeAll(async () => {
  issuer = await Issuer.listen();
  await open();
  await issuer.serve(`${url}/login/callback`);
});
afterAll(async () => {
  await api.close();
  await issuer.close();
});
beforeEach(() => {
  nowMs = Date.now();
});
afterEach(() => {
  api.done.length = 0;
});

async function open(): Promise<void> {
  const of = { issuer: issuer.url, claims };
  const login = { flow: createLoginFlow({ ...of, client }), sessionKeys: [randomBytes(32)], lifetimeMs: 3_600_000, nowMs: () => nowMs };
  const rates = { address: 10_000, caller: 10_000, decide: 10_000, login: 10_000 };
  api = await openApiFixture({ people: { tokens: createTokenVerifier({ ...of, audience: AUDIENCE }), login }, rates });
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = urlOf(api.app);
}

interface Me {
  readonly name: string;
  readonly csrfToken: string;
}
const me = async (browser: Browser) => JSON.parse((await browser.go(`${url}/v1/me`)).text) as Me;
const decide = (browser: Browser, headers: Record<string, string>) =>
  browser.once(`${url}/v1/approvals/${api.gate.approvalId}/decisions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ verdict: 'approve', actionDigest: api.gate.actionDigest }),
  });
async function signedIn(name = 'alice'): Promise<Browser> {
  const browser = new Browser();
  await browser.logIn(`${url}/login`, name);
  return browser;
}

describe('a login', () => {
  test('ends at the gate that the person came for, in a session of theirs', async () => {
    const browser = new Browser();
    const page = await browser.logIn(`${url}/login?returnTo=${encodeURIComponent('/v1/approvals?limit=5')}`, 'alice');
    expect([page.url, page.status]).toEqual([`${url}/v1/approvals?limit=5`, 200]);
    const asked = new URL(page.way.find((address) => address.startsWith(`${issuer.url}/auth?`)) ?? '').searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      state: expect.any(String),
      nonce: expect.any(String),
    });
    expect(await me(browser)).toEqual({
      name: `oidc:${issuer.url.slice('http://'.length)}#alice`,
      displayName: 'Alice Ames',
      roles: ['approver'],
      tenant: 'acme',
      scopes: ['read', 'decide', 'repair'],
      signedIn: true,
      csrfToken: expect.stringMatching(/^[\w-]{43}$/),
      sessionEndsAt: expect.any(String),
    });
    const [entry] = await api.store.listAudit({ limit: 100 }).then((entries) => entries.filter(({ type }) => type === 'person.signedIn'));
    expect(entry).toMatchObject({ actor: expect.stringMatching(/#alice$/), data: { roles: ['approver'], tenant: 'acme' } });
  });

  test('leaves cookies that scripts and other sites cannot use, and that say nothing', async () => {
    const browser = await signedIn();
    const ours = browser.setCookies.filter((line) => line.startsWith('tollgate'));
    expect(ours.length).toBeGreaterThan(2);
    for (const line of ours) expect(line).toMatch(/; HttpOnly.*; SameSite=Lax/i);
    expect(Buffer.from(decodeURIComponent(browser.cookies.get('tollgate') ?? ''), 'base64').toString('latin1')).not.toContain('alice');
  });

  test('without a tenant is refused, and leaves no session', async () => {
    const browser = new Browser();
    const page = await browser.logIn(`${url}/login`, 'nobody');
    expect([page.status, JSON.parse(page.text)]).toEqual([
      403,
      expect.objectContaining({ failureType: 'forbidden', detail: expect.stringContaining('tenant') }),
    ]);
    expect((await browser.go(`${url}/v1/me`)).status).toBe(401);
  });

  test('is finished only by the browser that began it, and once', async () => {
    const victim = new Browser();
    const attacker = new Browser();
    await attacker.logIn(`${url}/login`, 'mallory');
    // The attacker's own login, kept back before its end, is sent to the victim.
    attacker.cookies.delete('tollgate');
    const begun = await attacker.once(`${url}/login`);
    const pending = new Map(attacker.cookies);
    let step = await attacker.once(begun.headers.get('location') ?? '');
    const callback = step.headers.get('location') ?? '';
    expect(callback).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/login\/callback\?code=/);
    for (const browser of [
      victim,
      await (async () => {
        const b = new Browser();
        await b.once(`${url}/login`);
        return b;
      })(),
    ]) {
      expect((await browser.go(callback)).status).toBe(401);
      expect((await browser.go(`${url}/v1/me`)).status).toBe(401);
    }
    // The browser that began it is let in, and the same answer with the same cookies never again.
    step = await attacker.once(callback);
    expect(step.status).toBe(303);
    expect(await me(attacker)).toMatchObject({ name: expect.stringMatching(/#mallory$/) });
    const replay = new Browser();
    for (const [name, value] of pending) replay.cookies.set(name, value);
    const again = await replay.once(callback);
    // Also an issuer that takes a code twice is not asked.
    expect([again.status, await again.json()]).toEqual([401, expect.objectContaining({ detail: expect.stringContaining('no login under way') })]);
    expect((await replay.go(`${url}/v1/me`)).status).toBe(401);
  });

  test('with another state, without a code, with a code of nobody, or refused by the person is none', async () => {
    for (const change of [
      (query: URLSearchParams) => query.set('state', 'x'.repeat(43)),
      (query: URLSearchParams) => query.delete('state'),
      (query: URLSearchParams) => query.delete('code'),
      (query: URLSearchParams) => query.set('code', 'forged'),
      (query: URLSearchParams) => query.set('iss', 'https://other.example'),
      (query: URLSearchParams) => {
        query.delete('code');
        query.set('error', 'access_denied');
      },
    ]) {
      const browser = await signedIn();
      browser.cookies.delete('tollgate');
      const begun = await browser.once(`${url}/login`);
      const callback = new URL((await browser.once(begun.headers.get('location') ?? '')).headers.get('location') ?? '');
      change(callback.searchParams);
      const page = await browser.go(callback.href);
      expect([change.toString(), page.status]).toEqual([change.toString(), 401]);
      expect((await browser.go(`${url}/v1/me`)).status).toBe(401);
    }
  });

  test('begins a new session whatever the browser had before: no fixation', async () => {
    const browser = await signedIn('mallory');
    const [planted, before] = [browser.cookies.get('tollgate'), await me(browser)];
    for (const name of [...browser.cookies.keys()]) if (name !== 'tollgate') browser.cookies.delete(name);
    await browser.logIn(`${url}/login`, 'alice');
    const after = await me(browser);
    expect(after.name).toMatch(/#alice$/);
    expect([browser.cookies.get('tollgate') === planted, after.csrfToken === before.csrfToken]).toEqual([false, false]);
    const attacker = new Browser();
    attacker.cookies.set('tollgate', planted ?? '');
    expect((await me(attacker)).name).toMatch(/#mallory$/);
  });
});

describe('a session', () => {
  test('decides with its CSRF token alone: none, another’s, another site’s page, all are refused', async () => {
    const [alice, mallory] = [await signedIn(), await signedIn('mallory')];
    const { csrfToken } = await me(alice);
    const foreign = (await me(mallory)).csrfToken;
    const refused: Record<string, string>[] = [
      {},
      { [CSRF]: '' },
      { [CSRF]: foreign },
      { [CSRF]: `${csrfToken}x` },
      { [CSRF]: csrfToken, origin: 'https://evil.example' },
      { [CSRF]: csrfToken, origin: 'null' },
      { [CSRF]: csrfToken, 'sec-fetch-site': 'cross-site' },
    ];
    for (const headers of refused) expect([headers, (await decide(alice, headers)).status]).toEqual([headers, 403]);
    expect(api.done).toEqual([]);
    expect((await decide(alice, { [CSRF]: csrfToken, origin: url, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect(api.done).toEqual([expect.stringMatching(/#alice approve /)]);
  });

  test('a wrong key or token beside a cookie is refused, and never turns into the session', async () => {
    const alice = await signedIn();
    for (const authorization of ['Bearer tg_wrong', 'Bearer a.b.c', 'Basic x', ''])
      expect((await alice.once(`${url}/v1/me`, { headers: { authorization } })).status).toBe(401);
  });

  test('ends at its time, however much it was used, and a changed or foreign cookie is none', async () => {
    const alice = await signedIn();
    nowMs += 3_599_000;
    expect((await alice.go(`${url}/v1/me`)).status).toBe(200);
    nowMs += 2_000;
    expect((await alice.go(`${url}/v1/me`)).status).toBe(401);
    const bob = await signedIn('bob');
    const cookie = bob.cookies.get('tollgate') ?? '';
    for (const forged of [
      `${cookie.startsWith('A') ? 'B' : 'A'}${cookie.slice(1)}`,
      cookie.slice(0, -6),
      `${Buffer.alloc(64).toString('base64')};${Buffer.alloc(24).toString('base64')}`,
      'x',
      '{}',
    ]) {
      bob.cookies.set('tollgate', forged);
      expect([forged, (await bob.go(`${url}/v1/me`)).status]).toEqual([forged, 401]);
    }
  });

  test('ends with a logout, also for whoever copied its cookie; a logout needs the CSRF token too', async () => {
    const alice = await signedIn();
    const { csrfToken } = await me(alice);
    const copied = alice.cookies.get('tollgate') ?? '';
    expect((await alice.once(`${url}/logout`, { method: 'POST' })).status).toBe(403);
    expect((await alice.once(`${url}/logout`)).status).toBe(404);
    expect((await alice.once(`${url}/logout`, { method: 'POST', headers: { [CSRF]: csrfToken } })).status).toBe(204);
    expect(alice.cookies.has('tollgate')).toBe(false);
    alice.cookies.set('tollgate', copied);
    expect((await alice.go(`${url}/v1/me`)).status).toBe(401);
  });
});

test('after a login nobody lands anywhere but here', async () => {
  for (const hostile of [
    'https://evil.example',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '/.//evil.example',
    '/x/..//evil.example',
    '/%2e%2e//evil.example',
    'javascript:alert(1)',
    'inbox',
    '/login?returnTo=/',
    '/logout',
    `/${'x'.repeat(2_000)}`,
    '/a b',
    '',
  ])
    expect([hostile, returnPath(hostile)]).toEqual([hostile, '/']);
  for (const own of ['/', '/inbox/gates/agent-1%2F2?x=1&y=%20#top', '/inbox/?returnTo=https://evil.example']) expect(returnPath(own)).toBe(own);
  const alice = await signedIn();
  const page = await alice.once(`${url}/login?returnTo=${encodeURIComponent('//evil.example')}`);
  const back = await alice.once(page.headers.get('location') ?? '');
  expect((await alice.once(back.headers.get('location') ?? '')).headers.get('location')).toBe('/');
});

test('a login is never sent to where the request says that the API is', async () => {
  const response = await fetch(`${url}/login`, { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' }, redirect: 'manual' });
  expect(new URL(response.headers.get('location') ?? '').searchParams.get('redirect_uri')).toBe(`${url}/login/callback`);
});
