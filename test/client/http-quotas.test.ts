import { afterEach, beforeEach, expect, test } from 'vitest';
import type { QuotaReport } from '../../client/quota-report.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { newAttempt, startRun, usd } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

async function quotasFor(tenant?: string): Promise<QuotaReport[]> {
  const { secret } = await api.key({ scopes: ['read'], name: `of-${tenant ?? 'all'}`, ...(tenant === undefined ? {} : { tenant }) });
  const answer = await api.app.inject({ method: 'GET', url: '/v1/quotas', headers: { authorization: `Bearer ${secret}` } });
  expect(answer.statusCode).toBe(200);
  return answer.json<QuotaReport[]>();
}

test('a key sees the quotas and the use of its own tenant, and nothing of others or of all together', async () => {
  const { store } = api;
  await store.setQuota({ tenant: '*', feature: null, per: 'day', unit: 'tokens', limit: 50_000 }, 'config');
  await store.setQuota({ tenant: 'acme', feature: 'chat', per: 'month', unit: 'nanoUsd', limit: 5_000_000_000 }, 'command');
  await store.setQuota({ tenant: 'globex', feature: null, per: 'month', unit: 'nanoUsd', limit: 7_000_000_000 }, 'command');
  await store.setQuota({ tenant: null, feature: 'chat', per: 'month', unit: 'nanoUsd', limit: 9_000_000_000 }, 'command');
  for (const tenant of ['acme', 'globex'])
    await store.reserveAttempt(newAttempt(await startRun(store, { tenant, limitNanoUsd: usd(1_000) }), { reservedNanoUsd: usd(500), reservedTokens: 700 }));

  expect((await quotasFor()).map(({ tenant, feature, use }) => [tenant, feature, use.length])).toEqual([
    [null, 'chat', 1],
    ['*', null, 2],
    ['acme', 'chat', 1],
    ['globex', null, 1],
  ]);
  const seen = await quotasFor('acme');
  expect(seen).toMatchObject([
    { tenant: '*', per: 'day', unit: 'tokens', limit: '50000', source: 'config', use: [{ tenant: 'acme', held: '700', settled: '0' }] },
    { tenant: 'acme', feature: 'chat', per: 'month', unit: 'usd', limit: '5.00', source: 'command', use: [{ held: '0.0000005' }] },
  ]);
  expect(JSON.stringify(seen)).not.toContain('globex');
});
