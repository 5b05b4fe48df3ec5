import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { reserve, startRun, usd } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

const UNKNOWN = { class: 'timeout', retrySameModel: true, nextCandidate: true, billed: 'unknown' } as const;

/** An attempt of a run for `tenant` that was sent, and of which nobody knows what became. */
async function heldAttempt(tenant: string): Promise<string> {
  const runKey = await startRun(api.store, { tenant });
  const attemptId = await reserve(api.store, runKey);
  await api.store.reportAttempt(runKey, attemptId, { outcome: { type: 'failed', verdict: UNKNOWN, message: 'no answer' } });
  return attemptId;
}

async function call(secret: string, url: string, payload?: object) {
  const headers = { authorization: `Bearer ${secret}` };
  const response = await api.app.inject(payload ? { method: 'POST', url, headers, payload } : { url, headers });
  return { status: response.statusCode, body: response.json() as never };
}

const every = { scopes: ['start', 'read', 'decide'] as const, roles: ['*'] };

test('a key sees, reconciles and writes off the money of its own tenant only', async () => {
  const acme = await api.key({ ...every, tenant: 'acme' });
  const stranger = await api.key({ ...every, tenant: 'globex' });
  const attemptId = await heldAttempt('acme');
  expect((await call(acme.secret, '/v1/held')).body).toMatchObject([{ attemptId, tenant: 'acme', heldUsd: '0.0000001', outcome: 'timeout', lookup: null }]);
  expect((await call(acme.secret, '/v1/money')).body).toMatchObject({ held: { attempts: 1, usd: '0.0000001' }, writtenOff: { attempts: 0 } });
  expect((await call(stranger.secret, '/v1/held')).body).toEqual([]);
  expect((await call(stranger.secret, '/v1/money')).body).toMatchObject({ held: { attempts: 0, usd: '0.00', oldestReservedAt: null } });

  const [foreign, missing] = [attemptId, 'no-such-attempt'].map((id) => `/v1/attempts/${id}/write-off`) as [string, string];
  const refused = await call(stranger.secret, foreign, { reason: 'mine now' });
  expect(refused.status).toBe(404);
  expect(JSON.stringify(refused.body).replaceAll(attemptId, '…')).toBe(
    JSON.stringify((await call(stranger.secret, missing, { reason: 'mine now' })).body).replaceAll('no-such-attempt', '…'),
  );
  for (const [url, payload] of [
    ['/v1/reconcile', {}],
    ['/v1/bounds', undefined],
    ['/v1/bounds/reset', { model: 'm', endpoint: 'e', reason: 'x' }],
  ] as const)
    expect([url, (await call(stranger.secret, url, payload)).status]).toEqual([url, 403]);
  expect(await api.store.findAttempt(attemptId as never)).toMatchObject({ attempt: { money: { status: 'held' } } });
});

test('a write-off keeps who and why in the audit; a second one changes nothing, and a charge that turns up is still settled', async () => {
  const { secret } = await api.key({ ...every, tenant: 'acme' });
  const attemptId = await heldAttempt('acme');
  const url = `/v1/attempts/${attemptId}/write-off`;
  expect((await call(secret, url, { reason: '' })).status).toBe(400);
  expect(await call(secret, url, { reason: 'the provider has lost it' })).toMatchObject({ status: 200, body: { changed: true, writtenOffUsd: '0.0000001' } });
  expect(await call(secret, url, { reason: 'again' })).toMatchObject({ status: 200, body: { changed: false, reason: 'the provider has lost it' } });
  const { attempt } = (await api.store.findAttempt(attemptId as never)) ?? {};
  if (!attempt) throw new Error('the attempt is there');
  const audit = await api.store.listAudit({ runKey: attempt.runKey, limit: 10 });
  expect(audit.filter(({ type }) => type === 'ledger.writtenOff')).toMatchObject([
    { actor: 'key:shop', data: { attemptId, reason: 'the provider has lost it' } },
  ]);
  await api.store.moveMoney(attempt.runKey, attempt.attemptId, { type: 'settle', costNanoUsd: usd(60) });
  expect(await call(secret, url, { reason: 'once more' })).toMatchObject({ status: 400, body: { detail: expect.stringContaining('settled') } });
  expect(await api.store.getLedger(attempt.runKey)).toMatchObject({ settledNanoUsd: 60, writtenOffNanoUsd: 0, heldNanoUsd: 0 });
});

test('held attempts come page by page', async () => {
  const { secret } = await api.key({ ...every, tenant: 'acme' });
  const ids = [await heldAttempt('acme'), await heldAttempt('acme'), await heldAttempt('acme')];
  const first = (await call(secret, '/v1/held?limit=2')).body as { attemptId: string; cursor: number }[];
  const second = (await call(secret, `/v1/held?limit=2&cursor=${first[1]?.cursor}`)).body as { attemptId: string }[];
  expect([...first, ...second].map(({ attemptId }) => attemptId)).toEqual(ids);
});

test('a reconciliation that no worker ends in time is a 202 with its name', async () => {
  const { secret } = await api.key(every);
  expect(await call(secret, '/v1/reconcile', {})).toMatchObject({ status: 202, body: { type: 'running', reconciliationId: 'r' } });
  expect(api.done).toEqual(['key:shop reconcile everything']);
});
