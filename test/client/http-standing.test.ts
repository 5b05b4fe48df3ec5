import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { auditNotes } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

type Sender = (method: 'GET' | 'POST', url: string, body?: object) => Promise<{ readonly status: number; readonly body: never }>;

async function as(
  name: string,
  options: { readonly scopes?: readonly string[]; readonly tenant?: string; readonly roles?: readonly string[] } = {},
): Promise<Sender> {
  const { secret } = await api.key({ scopes: ['read', 'decide'], name, ...options });
  return async (method, url, payload) => {
    const answer = await api.app.inject({ method, url, headers: { authorization: `Bearer ${secret}` }, ...(payload ? { payload } : {}) });
    return { status: answer.statusCode, body: answer.json() as never };
  };
}

const until = () => new Date(Date.now() + 3_600_000).toISOString();
const terms = () => ({
  tool: 'refund',
  conditions: [{ argument: 'order', op: 'eq', value: 'W1' }],
  free: ['note'],
  maxUses: 2,
  total: { argument: 'amount', atMost: 50 },
  until: until(),
});

test('a switch is thrown, shown at the gate that it holds, and lifted, in the name of the key', async () => {
  const alice = await as('alice');
  const { status, body } = await alice('POST', '/v1/stops', { tool: 'refund', reason: 'it pays twice' });
  const { stopId } = body as { stopId: string };
  expect([status, body]).toMatchObject([201, { tool: 'refund', task: null, tenant: null, models: false, by: 'key:alice', resumed: null }]);
  expect((await alice('GET', '/v1/approvals')).body).toMatchObject([{ stopped: [{ stopId, by: 'key:alice', reason: 'it pays twice' }] }]);
  expect((await alice('GET', `/v1/approvals/${api.gate.approvalId}`)).body).toMatchObject({ stopped: [{ stopId }] });
  expect((await alice('POST', `/v1/stops/${stopId}/resume`, { reason: 'fixed' })).body).toMatchObject({ resumed: { by: 'key:alice', reason: 'fixed' } });
  expect((await alice('GET', '/v1/stops')).body).toEqual([]);
  expect((await alice('GET', '/v1/stops?all=true')).body).toHaveLength(1);
  expect((await alice('GET', '/v1/approvals')).body).not.toMatchObject([{ stopped: [{ stopId }] }]);
});

test('a key for a tenant throws, lifts, grants and revokes for that tenant alone, and learns nothing of others', async () => {
  const [everywhere, acme, globex] = [await as('root', { roles: ['approver'] }), await as('a', { tenant: 'acme' }), await as('g', { tenant: 'globex' })];
  const all = (await everywhere('POST', '/v1/stops', { reason: 'all' })).body as { stopId: string };
  expect((await acme('POST', '/v1/stops', { tenant: 'globex', reason: 'x' })).status).toBe(403);
  // Nothing named is its own tenant, not everything.
  expect((await acme('POST', '/v1/stops', { reason: 'x' })).body).toMatchObject({ tenant: 'acme' });
  expect((await acme('POST', `/v1/stops/${all.stopId}/resume`, { reason: 'x' })).status).toBe(404);
  expect(((await globex('GET', '/v1/stops')).body as { tenant: string | null }[]).map(({ tenant }) => tenant)).toEqual([null]);

  expect((await acme('POST', '/v1/standing-approvals', { ...terms(), tenant: 'globex' })).status).toBe(403);
  const granted = await acme('POST', '/v1/standing-approvals', terms());
  expect(granted).toMatchObject({ status: 201, body: { tenant: 'acme', status: 'live', uses: 0, grantedBy: ['key:a'] } });
  const { standingId, termsDigest } = granted.body as { standingId: string; termsDigest: string };
  for (const [method, url, body] of [
    ['GET', `/v1/standing-approvals/${standingId}`, undefined],
    ['POST', `/v1/standing-approvals/${standingId}/signatures`, { termsDigest }],
    ['POST', `/v1/standing-approvals/${standingId}/revoke`, { reason: 'x' }],
  ] as const)
    expect((await globex(method, url, body)).status).toBe(404);
  expect((await globex('GET', '/v1/standing-approvals')).body).toEqual([]);

  const lead = await as('l', { tenant: 'acme', roles: ['lead'] });
  expect((await lead('POST', '/v1/delegations', { to: 'key:bob', role: 'cfo', until: until() })).status).toBe(403);
  expect((await lead('POST', '/v1/delegations', { to: 'key:bob', role: 'lead', tenant: null, until: until() })).status).toBe(403);
  const delegated = await lead('POST', '/v1/delegations', { to: 'key:bob', role: 'lead', until: until() });
  expect(delegated).toMatchObject({ status: 201, body: { delegator: 'key:l', tenant: 'acme', status: 'live' } });
  const { delegationId } = delegated.body as { delegationId: string };
  expect((await globex('GET', '/v1/delegations')).body).toEqual([]);
  expect((await globex('POST', `/v1/delegations/${delegationId}/revoke`, { reason: 'x' })).status).toBe(404);
  expect((await lead('POST', `/v1/delegations/${delegationId}/revoke`, { reason: 'back' })).body).toMatchObject({ status: 'revoked' });
});

test('a standing approval is signed by another for exactly its terms, and revoked for good', async () => {
  const [alice, bob] = [await as('alice', { tenant: 'acme' }), await as('bob', { tenant: 'acme' })];
  const { standingId, termsDigest } = (await alice('POST', '/v1/standing-approvals', terms())).body as { standingId: string; termsDigest: string };
  expect((await bob('POST', `/v1/standing-approvals/${standingId}/signatures`, { termsDigest: '0'.repeat(64) })).status).toBe(400);
  expect((await bob('POST', `/v1/standing-approvals/${standingId}/signatures`, { termsDigest })).body).toMatchObject({ grantedBy: ['key:alice', 'key:bob'] });
  expect((await bob('POST', `/v1/standing-approvals/${standingId}/revoke`, { reason: 'no more' })).body).toMatchObject({
    status: 'revoked',
    revoked: { by: 'key:bob', reason: 'no more' },
  });
  expect((await alice('GET', '/v1/standing-approvals')).body).toEqual([]);
  expect((await alice('GET', '/v1/standing-approvals?all=true')).body).toMatchObject([{ standingId, status: 'revoked' }]);
});

test('who may only read changes nothing', async () => {
  const reader = await as('reader', { scopes: ['read'] });
  for (const [url, body] of [
    ['/v1/stops', { reason: 'x' }],
    ['/v1/stops/x/resume', { reason: 'x' }],
    ['/v1/standing-approvals', { ...terms(), tenant: 'acme' }],
    ['/v1/standing-approvals/x/signatures', { termsDigest: 'x' }],
    ['/v1/standing-approvals/x/revoke', { reason: 'x' }],
    ['/v1/delegations', { to: 'bob', role: 'lead', until: until() }],
    ['/v1/delegations/x/revoke', { reason: 'x' }],
    ['/v1/approvals/decide-batch', { verdict: 'approve', decisions: [{ approvalId: 'x', actionDigest: 'y' }] }],
  ] as const)
    expect([url, (await reader('POST', url, body)).status]).toEqual([url, 403]);
});

test.each([
  ['/v1/stops', { tool: 'refund' }],
  ['/v1/stops', { tool: 'refund', models: true, reason: 'model calls are of no tool' }],
  ['/v1/standing-approvals', { ...terms(), until: '2001-01-01T00:00:00Z' }],
  ['/v1/standing-approvals', { ...terms(), until: 'tomorrow' }],
  ['/v1/standing-approvals', { ...terms(), maxUses: 0 }],
  ['/v1/standing-approvals', { ...terms(), maxUses: 1e9 }],
  ['/v1/standing-approvals', { ...terms(), total: { argument: 'amount', atMost: -1 } }],
  ['/v1/standing-approvals', { ...terms(), conditions: [{ argument: 'x', op: 'like', value: '%' }] }],
  ['/v1/delegations', { to: 'key:root', role: 'lead', until: until() }],
  ['/v1/delegations', { to: 'bob', role: 'lead', until: '2099-01-01T00:00:00Z' }],
  ['/v1/approvals/decide-batch', { verdict: 'approve', decisions: [] }],
  ['/v1/approvals/decide-batch', { verdict: 'approve', decisions: Array.from({ length: 201 }, (_, index) => ({ approvalId: `${index}`, actionDigest: 'x' })) }],
  ['/v1/approvals/decide-batch', { verdict: 'approve', decisions: [{ approvalId: 'x' }] }],
  ['/v1/approvals/decide-batch', { verdict: 'deny', decisions: [{ approvalId: 'x', actionDigest: 'y' }] }],
  [
    '/v1/approvals/decide-batch',
    {
      verdict: 'approve',
      decisions: [
        { approvalId: 'x', actionDigest: 'y' },
        { approvalId: 'x', actionDigest: 'z' },
      ],
    },
  ],
])('%s refuses what makes no sense', async (url, body) => {
  const root = await as('root', { roles: ['lead'] });
  expect((await root('POST', url, body)).status).toBe(400);
  expect(await auditNotes(api.store)).toEqual([]);
});

test('a batch decides only gates that its sender may know of, and answers for each', async () => {
  const decisions = [
    { approvalId: api.gate.approvalId, actionDigest: api.gate.actionDigest },
    { approvalId: 'nobody', actionDigest: 'x' },
  ];
  const batch = { verdict: 'approve', decisions };
  const acme = await as('a', { tenant: 'acme', roles: ['approver'] });
  expect((await acme('POST', '/v1/approvals/decide-batch', batch)).body).toMatchObject([
    { approvalId: api.gate.approvalId, answer: { type: 'accepted' } },
    { approvalId: 'nobody', answer: { type: 'refused', reason: 'unknownGate' } },
  ]);
  const globex = await as('g', { tenant: 'globex', roles: ['approver'] });
  expect((await globex('POST', '/v1/approvals/decide-batch', batch)).body).toMatchObject([
    { answer: { reason: 'unknownGate' } },
    { answer: { reason: 'unknownGate' } },
  ]);
  expect(api.done).toEqual([`key:a approve ${api.gate.approvalId}`]);
});
