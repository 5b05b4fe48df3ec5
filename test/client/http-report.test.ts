import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UsageView } from '../../client/usage-report.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { reply, reserve, startRun, usd } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

const USAGE = { inputTokens: 100, cachedInputTokens: 40, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 0 };

async function run(tenant: string, nanoUsd: number) {
  const runKey = await startRun(api.store, { tenant });
  const attemptId = await reserve(api.store, runKey);
  const money = { type: 'settle', costNanoUsd: usd(nanoUsd) } as const;
  await api.store.reportAttempt(runKey, attemptId, { outcome: { type: 'reply' }, reply: reply('ok'), usage: USAGE, money });
  return runKey;
}

async function call(secret: string, url: string, payload?: object) {
  const headers = { authorization: `Bearer ${secret}` };
  const response = await api.app.inject(payload ? { method: 'POST', url, headers, payload } : { url, headers });
  return { status: response.statusCode, body: response.json() as never };
}

test('a key for one tenant sees a report of that tenant only, whatever it asks for', async () => {
  await run('acme', 50);
  await run('globex', 70);
  const every = await api.key({ scopes: ['read'] });
  const acme = await api.key({ scopes: ['read'], tenant: 'acme' });
  const all = (await call(every.secret, '/v1/report?by=tenant')).body as UsageView;
  expect(all.groups.map(({ key, settledUsd }) => [key, settledUsd])).toEqual([
    ['globex', '0.00000007'],
    ['acme', '0.00000005'],
  ]);
  expect(all.total).toMatchObject({ settledUsd: '0.00000012', estimatedUsd: '0.0000002', estimateFactor: 1.6667, tokens: { input: 200, cachedInput: 80 } });
  const own = await call(acme.secret, '/v1/report?by=tenant');
  expect(own.body).toMatchObject({ tenant: 'acme', total: { settledUsd: '0.00000005' }, groups: [{ key: 'acme' }] });
  expect(JSON.stringify(own.body)).not.toContain('globex');
  expect((await call(acme.secret, '/v1/report?tenant=globex')).status).toBe(403);
  expect((await call((await api.key({ scopes: ['start'] })).secret, '/v1/report')).status).toBe(403);
});

test('a report of a time that makes no sense is refused, with what would', async () => {
  const { secret } = await api.key({ scopes: ['read'] });
  for (const query of [
    'from=yesterday',
    'from=2026-13-41',
    'from=2030-01-01&to=2029-01-01',
    'from=2026-11-01T08:00',
    'to=99999h&from=1d',
    'by=vendor',
    'limit=0',
  ])
    expect([query, (await call(secret, `/v1/report?${query}`)).status]).toEqual([query, 400]);
  await run('acme', 50);
  expect((await call(secret, '/v1/report?from=1h')).body).toMatchObject({ total: { attempts: { count: 1 } } });
  expect((await call(secret, '/v1/report?to=1h')).body).toMatchObject({ total: { attempts: { count: 0 }, latency: null } });
  expect((await call(secret, '/v1/report?from=2020-01-01&to=2020-01-02T00:00:00%2B02:00')).body).toMatchObject({ to: '2020-01-01T22:00:00.000Z', groups: [] });
});

test('feedback is kept with its comment masked, once for each id, and is in the run and in the report', async () => {
  const runKey = await run('acme', 50);
  const { secret } = await api.key({ scopes: ['read'], tenant: 'acme', name: 'web' });
  const url = `/v1/runs/${runKey.agentRunId}/feedback`;
  const given = await call(secret, url, { score: 1, label: 'helpful', comment: 'thanks, ann@example.com', step: 1, feedbackId: 'thumb-1' });
  expect(given).toEqual({ status: 200, body: { feedbackId: 'thumb-1', changed: true } });
  expect(await call(secret, url, { score: -1, feedbackId: 'thumb-1' })).toEqual({ status: 200, body: { feedbackId: 'thumb-1', changed: false } });
  const shown = await call(secret, `/v1/runs/${runKey.agentRunId}`);
  expect(shown.body).toMatchObject({ feedback: [{ feedbackId: 'thumb-1', score: 1, label: 'helpful', step: 1, actor: 'key:web', at: expect.any(String) }] });
  expect(JSON.stringify(shown.body)).not.toContain('ann@example.com');
  expect((await call(secret, '/v1/report')).body).toMatchObject({ total: { feedback: { count: 1, meanScore: 1 } } });
});

test('feedback for a run of another tenant, or none, or that makes no sense, is refused and not kept', async () => {
  const runKey = await run('acme', 50);
  const stranger = await api.key({ scopes: ['read', 'start'], tenant: 'globex' });
  const url = `/v1/runs/${runKey.agentRunId}/feedback`;
  expect((await call(stranger.secret, url, { score: 1 })).status).toBe(404);
  const { secret } = await api.key({ scopes: ['read'], tenant: 'acme' });
  expect((await call(secret, '/v1/runs/none/feedback', { score: 1 })).status).toBe(404);
  const wrong = [
    {},
    { score: 2 },
    { score: '1' },
    { score: 1, step: 9 },
    { score: 1, label: 'two words' },
    { score: 1, comment: 'x'.repeat(4_001) },
    { score: 1, other: 1 },
  ];
  for (const body of wrong) expect([body, (await call(secret, url, body)).status]).toEqual([body, 400]);
  expect(await api.store.listFeedback(runKey)).toEqual([]);
});
