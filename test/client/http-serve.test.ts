import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { newApiKey } from '../../client/api-key.ts';
import { newGate, startRun } from '../support/store-contract/fixtures.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { Browser } from '../support/browser.ts';
import { endOf } from '../support/http-stage.ts';
import { AUDIENCE, Issuer } from '../support/issuer.ts';
import { waitFor } from '../support/wait-for.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));

let home: string;
let children: ChildProcess[];
/** Process ids of the APIs themselves, which the commands start. */
let apis: number[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'tollgate-serve-'));
  children = [];
  apis = [];
});
afterEach(async () => {
  // The command is killed; the API that it started must notice by itself.
  const left = apis.filter(isAlive);
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await waitFor('the APIs to end with their commands', async () => !apis.some(isAlive)).finally(() => {
    for (const pid of left.filter(isAlive)) process.kill(pid, 'SIGKILL');
  });
  rmSync(home, { recursive: true, force: true });
});

const environment = (settings: Record<string, string>) => ({ PATH: process.env.PATH, TOLLGATE_HOME: home, TEMPORAL_ADDRESS: '127.0.0.1:1', ...settings });
const ended = (args: readonly string[], settings: Record<string, string> = {}) =>
  endOf(process.execPath, [BIN, ...args], { env: environment(settings), cwd: home });

/** Starts `tollgate serve` and answers where it says that it listens. */
async function serve(settings: Record<string, string>): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [BIN, 'serve'], { env: environment(settings), cwd: home, stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const port = await waitFor('the API', async () => {
    if (child.exitCode !== null) throw new Error(log);
    return Number(/"url":"http:\/\/[^"]*:(\d+)"/.exec(log)?.[1]);
  });
  apis.push(Number(/"pid":(\d+)/.exec(log)?.[1]));
  return { child, port };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function withStore<T>(use: (store: Awaited<ReturnType<typeof openSqliteStore>>) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ path: join(home, 'tollgate.db') });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function makeKey(scopes: readonly string[]): Promise<{ readonly secret: string; readonly keyId: string }> {
  const { key, secret } = newApiKey({ name: 'ops', scopes, roles: ['approver'] });
  await withStore((store) => store.putApiKey(key));
  return { secret, keyId: key.keyId };
}

test('an API that others could reach is refused before there is a key that counts, with the way out', { timeout: 120_000 }, async () => {
  const [any, host] = await Promise.all([ended(['serve'], { TOLLGATE_LISTEN: '0.0.0.0:0' }), ended(['serve'], { TOLLGATE_LISTEN: '[::]:0' })]);
  for (const { code, stderr } of [any, host])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: TOLLGATE_LISTEN is .*keys create.*127\.0\.0\.1/)]);
  const { keyId } = await makeKey(['read']);
  await withStore((store) => store.revokeApiKey(keyId));
  expect((await ended(['serve'], { TOLLGATE_LISTEN: '0.0.0.0:0' })).code).toBe(2);
});

test('with a key it starts there: nobody is the developer, and nothing is signed unless the risk is accepted', { timeout: 120_000 }, async () => {
  const { secret } = await makeKey(['read', 'decide']);
  const gate = await withStore(async (store) => store.createGate(newGate(await startRun(store))));
  const decide = (port: number) =>
    fetch(`http://127.0.0.1:${port}/v1/approvals/${gate.approvalId}/decisions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify({ verdict: 'approve', actionDigest: gate.actionDigest }),
    });
  const { port } = await serve({ TOLLGATE_LISTEN: '0.0.0.0:0', TOLLGATE_LOCAL_DEVELOPER: '1' });
  expect((await fetch(`http://127.0.0.1:${port}/v1/runs`)).status).toBe(401);
  expect((await fetch(`http://127.0.0.1:${port}/v1/runs`, { headers: { authorization: `Bearer ${secret}` } })).status).toBe(200);
  const refused = await decide(port);
  expect([refused.status, await refused.json()]).toEqual([
    403,
    expect.objectContaining({ failureType: 'forbidden', detail: expect.stringContaining('TOLLGATE_INSECURE') }),
  ]);
  const insecure = await serve({ TOLLGATE_LISTEN: '0.0.0.0:0', TOLLGATE_INSECURE: '1' });
  expect((await decide(insecure.port)).status).toBe(503);
});

test('without Temporal it lives, reads the store, says that it is not ready, and stops when told to, streams and all', { timeout: 120_000 }, async () => {
  const run = await withStore((store) => startRun(store));
  const { child, port } = await serve({ TOLLGATE_LISTEN: 'localhost:0' });
  const url = `http://localhost:${port}`;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'notReady', temporal: false, store: true }]);
  expect(await (await fetch(`${url}/v1/runs/${run.agentRunId}`)).json()).toMatchObject({ status: 'running' });
  const unknown = await fetch(`${url}/v1/runs/no-such-run`);
  expect([unknown.status, await unknown.json()]).toEqual([503, expect.objectContaining({ failureType: 'temporalUnavailable' })]);
  const stream = await fetch(`${url}/v1/runs/${run.agentRunId}/events`);
  const startedMs = Date.now();
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  expect([code, Date.now() - startedMs < 6_000]).toEqual([0, true]);
  await stream.text().catch(() => undefined);
});

test('an address in use, settings that are wrong, and a project that is broken are plain errors', { timeout: 120_000 }, async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  try {
    const [taken, wrong, config] = await Promise.all([
      ended(['serve'], { TOLLGATE_LISTEN: `127.0.0.1:${port}` }),
      ended(['serve'], { TOLLGATE_LISTEN: 'everywhere', TOLLGATE_URL: 'ftp://x', TOLLGATE_TOKEN: 'two words' }),
      ended(['serve'], { TOLLGATE_CONFIG: 'none.ts' }),
    ]);
    expect(taken).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: The API can't listen at .*EADDRINUSE.*TOLLGATE_LISTEN/) });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/3 mistakes/) });
    expect(wrong.stderr).not.toContain('two words');
    expect(config).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no configuration') });
  } finally {
    other.close();
  }
});

test('the OpenAPI document is printed without anything running', { timeout: 60_000 }, async () => {
  const { code, stdout } = await ended(['serve', '--print-openapi']);
  expect(code).toBe(0);
  const document = JSON.parse(stdout) as { openapi: string; paths: object; components: { schemas: Record<string, unknown> } };
  expect(document.openapi).toBe('3.1.0');
  expect(Object.keys(document.paths)).toContain('/v1/runs/{agentRunId}/events');
  const refs = [...stdout.matchAll(/"\$ref": "#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name);
  expect([...new Set(refs)].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted());
});

test('a logout at one API holds at every other one of the store, also for a copy of the cookie, and so does a login that was finished', {
  timeout: 120_000,
}, async () => {
  const issuer = await Issuer.listen();
  try {
    const at = await freePort();
    const url = `http://127.0.0.1:${at}`;
    await issuer.serve(`${url}/login/callback`);
    const settings = {
      TOLLGATE_PUBLIC_URL: url,
      TOLLGATE_OIDC_ISSUER: issuer.url,
      TOLLGATE_OIDC_AUDIENCE: AUDIENCE,
      TOLLGATE_OIDC_CLIENT_ID: 'tollgate',
      TOLLGATE_OIDC_CLIENT_SECRET: 'a secret of the client',
    };
    await serve({ ...settings, TOLLGATE_LISTEN: `127.0.0.1:${at}` });
    const other = await serve({ ...settings, TOLLGATE_LISTEN: '127.0.0.1:0' });
    const there = `http://127.0.0.1:${other.port}`;
    const alice = new Browser();
    await alice.logIn(`${url}/login`, 'alice');
    const copied = alice.cookies.get('tollgate') ?? '';
    const thief = new Browser();
    thief.cookies.set('tollgate', copied);
    const { csrfToken } = JSON.parse((await thief.go(`${there}/v1/me`)).text) as { readonly csrfToken: string };
    const ended = await alice.once(`${url}/logout`, { method: 'POST', headers: { 'x-tollgate-csrf': csrfToken } });
    expect(ended.status).toBe(204);
    for (const api of [there, url]) {
      thief.cookies.set('tollgate', copied);
      expect([api, (await thief.go(`${api}/v1/me`)).status]).toEqual([api, 401]);
    }

    const begun = await alice.once(`${url}/login`);
    const pending = alice.cookies.get('tollgate-login') ?? '';
    const back = new URL((await alice.once(begun.headers.get('location') ?? '')).headers.get('location') ?? '');
    expect((await alice.once(back.href)).status).toBe(303);
    thief.cookies.set('tollgate-login', pending);
    const replayed = await thief.once(`${there}${back.pathname}${back.search}`);
    expect([replayed.status, await replayed.json()]).toEqual([401, expect.objectContaining({ detail: expect.stringContaining('no login under way') })]);
  } finally {
    await issuer.close();
  }
});
