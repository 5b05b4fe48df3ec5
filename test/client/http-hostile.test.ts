import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { urlOf } from '../../client/http/app.ts';
import { TollgateError } from '../../contracts/failures.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { END, startRun } from '../support/store-contract/fixtures.ts';
import { waitFor } from '../support/wait-for.ts';

let api: ApiFixture;
let url: string;
beforeEach(() => open());
afterEach(() => api.close());

async function open(options: Parameters<typeof openApiFixture>[0] = {}): Promise<void> {
  await api?.close().catch(() => undefined);
  api = await openApiFixture(options);
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = urlOf(api.app);
}

async function expectProblem(response: Response, status: number, failureType: string, detail: string | RegExp = ''): Promise<Record<string, unknown>> {
  const text = await response.text();
  expect([response.status, text]).toEqual([status, expect.stringContaining(`"failureType":"${failureType}"`)]);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(text).not.toMatch(/<html|node_modules|\.ts:\d|at [A-Z]\w+ \(/i);
  const body = JSON.parse(text) as Record<string, unknown>;
  expect(body).toMatchObject({ status, type: `urn:tollgate:failure:${failureType}`, title: expect.any(String), detail: expect.stringMatching(detail) });
  return body;
}

const post = (path: string, body: string, type = 'application/json') =>
  fetch(`${url}${path}`, { method: 'POST', body, ...(type ? { headers: { 'content-type': type } } : {}) });

test('whatever is sent in place of JSON is answered with a problem', async () => {
  await expectProblem(await post('/v1/runs', '{"task":'), 400, 'invalidInput', 'not valid JSON');
  await expectProblem(await post('/v1/runs', ''), 400, 'invalidInput', 'empty');
  await expectProblem(await post('/v1/runs', '{"task":"t","input":{"__proto__":{"x":1}}}'), 400, 'invalidInput');
  await expectProblem(await post('/v1/runs', '{"constructor":{"prototype":{"x":1}}}'), 400, 'invalidInput');
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/xml'])
    await expectProblem(await post('/v1/runs', '{}', type), 415, 'invalidInput', 'Content-Type: application/json');
  for (const body of ['null', '[]', '"x"', '1']) await expectProblem(await post('/v1/runs', body), 400, 'invalidInput', 'body');
  const deep = `{"task":"t","input":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`;
  await expectProblem(await post('/v1/runs', deep), 400, 'invalidInput', 'levels deep');
  await expectProblem(await post('/v1/runs/x/messages', `{"text":"${'x'.repeat(1_100_000)}"}`), 413, 'invalidInput', 'too large');
  await expectProblem(await post('/v1/runs', `{"task":"${'x'.repeat(9_000_000)}"}`), 413, 'invalidInput', 'too large');
  expect(api.done).toEqual([]);
});

test('all mistakes of a request are listed at once, each with its place', async () => {
  const body = { task: 7, input: 'hi', id: '', tenant: 'x'.repeat(101), budgetUsd: {}, colour: 'red' };
  const { problems } = await expectProblem(await post('/v1/runs', JSON.stringify(body)), 400, 'invalidInput');
  const places = (problems as { path: string }[]).map(({ path }) => path);
  for (const place of ['body.task', 'body.input', 'body.id', 'body.tenant', 'body.budgetUsd', 'body']) expect(places).toContain(place);
  const query = await expectProblem(
    await fetch(`${url}/v1/runs?limit=0&status=done&colour=red`),
    400,
    'invalidInput',
    /query\.limit.*query\.status|query\.status.*query\.limit/,
  );
  expect((query.problems as unknown[]).length).toBe(3);
  for (const limit of ['1001', '-1', '1.5', 'NaN', '1e99', ''])
    await expectProblem(await fetch(`${url}/v1/runs?limit=${limit}`), 400, 'invalidInput', 'query.limit');
  for (const waitMs of ['30001', '-1', 'soon'])
    await expectProblem(await fetch(`${url}/v1/runs/x/result?waitMs=${waitMs}`), 400, 'invalidInput', 'query.waitMs');
  for (const cursor of ['nonsense', 'e30', Buffer.from('["a"]').toString('base64url')])
    await expectProblem(await fetch(`${url}/v1/runs?cursor=${cursor}`), 400, 'invalidInput', 'cursor');
});

test('what is not there is a problem too, however it is asked for', async () => {
  for (const path of ['/nothing', '/v1', '/v2/runs', '/v1/runs/a/b/c', '/index.html', '/../../etc/passwd', '/v1/openapi.yaml'])
    await expectProblem(await fetch(`${url}${path}`), 404, 'notFound');
  for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS']) await expectProblem(await fetch(`${url}/v1/runs`, { method }), 404, 'notFound');
  await expectProblem(await fetch(`${url}/v1/runs/%zz`), 400, 'invalidInput', 'encoded');
  await expectProblem(await fetch(`${url}/v1/runs/${encodeURIComponent("'; DROP TABLE runs; --")}`), 404, 'notFound', 'DROP TABLE');
  await expectProblem(await fetch(`${url}/v1/runs/${'x'.repeat(3_000)}`), 400, 'invalidInput', 'params.agentRunId');
  await expectProblem(await fetch(`${url}/v1/runs/%00`), 404, 'notFound');
  expect((await fetch(`${url}/v1/runs/${api.run.agentRunId}`)).status).toBe(200);
});

test('bytes that are no HTTP get an answer and are hung up on', async () => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += String(chunk);
  });
  await once(socket, 'close');
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json.*invalidInput/s);
});

test('what nobody foresaw says nothing of our insides, and what is known to be down says when to come back', async () => {
  await open({
    door: {
      show: async () => Promise.reject(new Error('secret detail at /srv/app')),
      list: async () => Promise.reject(new TollgateError('storeUnavailable', 'The store is locked.')),
    },
  });
  const broken = await expectProblem(await fetch(`${url}/v1/runs/${api.run.agentRunId}`), 500, 'invariantBroken');
  expect(JSON.stringify(broken)).not.toContain('secret detail');
  const down = await fetch(`${url}/v1/runs`);
  expect(down.headers.get('retry-after')).toBe('1');
  await expectProblem(down, 503, 'storeUnavailable', 'locked');
});

test('an API whose Temporal or store does not answer lives, and is not ready', async () => {
  await open({ isTemporalUp: async () => Promise.reject(new Error('down')) });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'notReady', temporal: false, store: true }]);
});

test('a browser is told to keep nothing, to guess nothing and to show nothing, and no other site is let in', async () => {
  for (const path of ['/v1/runs', '/v1/nope', `/v1/runs/${api.run.agentRunId}/events`]) {
    const { headers, body } = await fetch(`${url}${path}`);
    await body?.cancel();
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
    expect(headers.get('access-control-allow-origin')).toBeNull();
  }
});

describe('those who wait', () => {
  const events = (signal: AbortSignal, headers: Record<string, string> = {}) => fetch(`${url}/v1/runs/${api.run.agentRunId}/events`, { signal, headers });
  const leave = new AbortController();
  const openStreams = async (count: number, signal: AbortSignal) => Promise.all(Array.from({ length: count }, () => events(signal)));

  test('are bounded in number, for one caller and for all, and make room when they leave', async () => {
    await open({ limits: { total: 3, perCaller: 2 }, developerBesideKeys: true });
    const first = new AbortController();
    for (const response of await openStreams(2, first.signal)) expect(response.status).toBe(200);
    await expectProblem(await events(leave.signal), 429, 'tooManyRequests');
    await expectProblem(await fetch(`${url}/v1/runs/${api.run.agentRunId}/result?waitMs=1000`), 429, 'tooManyRequests');
    const { secret } = await api.key({ scopes: ['read'] });
    const as = { authorization: `Bearer ${secret}` };
    expect((await events(leave.signal, as)).status).toBe(200);
    await expectProblem(await events(leave.signal, as), 429, 'tooManyRequests', '3 requests');
    first.abort();
    await waitFor('room', async () => (await events(leave.signal)).status === 200);
    expect((await fetch(`${url}/v1/runs/${api.run.agentRunId}/result?waitMs=0`)).status).toBe(202);
  });

  test('hear a heartbeat, and are sent away at the next one once their key is revoked', async () => {
    await open({ heartbeatMs: 100 });
    const { secret, keyId } = await api.key({ scopes: ['read'] });
    const response = await events(AbortSignal.timeout(10_000), { authorization: `Bearer ${secret}` });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes(': still here')) await api.store.revokeApiKey(keyId);
    }
    expect(text).toContain('event: ledger');
    expect(text).toMatch(/: still here\n\n$/);
    expect(text).not.toContain('event: result');
  });

  test('are let go when the API stops', async () => {
    const ended = (await events(AbortSignal.timeout(10_000))).text().then(
      () => 'ended',
      () => 'cut',
    );
    const waiting = fetch(`${url}/v1/runs/${api.run.agentRunId}/result?waitMs=30000`).then(
      ({ status }) => status,
      () => 'cut',
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    const startedMs = Date.now();
    await api.app.close();
    expect(Date.now() - startedMs).toBeLessThan(3_000);
    expect(['ended', 'cut']).toContain(await ended);
    expect([202, 'cut']).toContain(await waiting);
  });

  test('hear of the end, by long poll and by stream', async () => {
    const waiting = fetch(`${url}/v1/runs/${api.run.agentRunId}/result?waitMs=20000`);
    const stream = (await events(AbortSignal.timeout(20_000))).text();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await api.store.endRun(api.run, END, 1);
    const response = await waiting;
    const shown = await (await fetch(`${url}/v1/runs/${api.run.agentRunId}`)).json();
    expect([response.status, await response.json()]).toEqual([200, shown]);
    const [, result = ''] = /event: result\ndata: (.*)\n\n$/.exec(await stream) ?? [];
    expect(JSON.parse(result)).toEqual(shown);
  });
});

test('lists come page by page, with a link to the next one', async () => {
  for (let count = 0; count < 4; count += 1) await startRun(api.store, { tenant: 'acme' });
  await startRun(api.store, { tenant: 'globex' });
  const seen: string[] = [];
  let path: string | undefined = '/v1/runs?limit=2&tenant=acme';
  let pages = 0;
  while (path !== undefined) {
    const response: Response = await fetch(`${url}${path}`);
    seen.push(...((await response.json()) as { agentRunId: string }[]).map(({ agentRunId }) => agentRunId));
    path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    pages += 1;
  }
  const all = (await api.store.listRuns({ limit: 100, tenant: 'acme' })).map(({ runKey }) => runKey.agentRunId);
  expect([pages, seen]).toEqual([3, all]);
});

test('the children of a run are listed by its id', async () => {
  const child = await startRun(api.store, { tenant: 'acme', parentRunKeys: [api.run] });
  await startRun(api.store, { tenant: 'acme' });
  const listed = async (query: string) =>
    ((await (await fetch(`${url}/v1/runs?${query}`)).json()) as { agentRunId: string }[]).map(({ agentRunId }) => agentRunId);
  expect(await listed(`parent=${api.run.agentRunId}`)).toEqual([child.agentRunId]);
  expect(await listed(`parent=${api.run.agentRunId}&parentFirstExecutionRunId=another`)).toEqual([]);
  await expectProblem(await fetch(`${url}/v1/runs?parent=nobody`), 404, 'notFound');
});
