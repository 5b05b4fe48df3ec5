import { afterEach, beforeEach, expect, test } from 'vitest';
import { anchorAudit } from '../../domain/audit/anchor.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { UNSIGNED, verified } from '../support/store-contract/audit-contract.ts';
import { startRun } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture();
});
afterEach(() => api.close());

interface Page {
  readonly selection: object;
  readonly lines: readonly { readonly chain?: string }[];
  readonly next: string | null;
}

async function get(secret: string, query: string) {
  const response = await api.app.inject({ url: `/v1/audit${query}`, headers: { authorization: `Bearer ${secret}` } });
  return { status: response.statusCode, body: response.json() as Page };
}

async function all(secret: string, query = '') {
  const lines: Page['lines'][number][] = [];
  let selection: object = {};
  for (let next: string | null = ''; next !== null; ) {
    const { status, body } = await get(secret, `?limit=2${query}${next === '' ? '' : `&cursor=${next}`}`);
    expect(status).toBe(200);
    lines.push(...body.lines);
    ({ selection, next } = body);
  }
  return [{ tollgateAudit: 1, exportedAtMs: 1, selection }, ...lines, { end: { rows: lines.length } }];
}

test('the audit is exported in pages that verify; a key of one tenant gets that tenant, whatever it asks for', async () => {
  const acme = await startRun(api.store, { tenant: 'acme' });
  for (let rows = 0; rows < 5; rows += 1) await api.store.appendAudit({ type: 'note', runKey: acme, actor: 'x', data: { rows } });
  const globex = await startRun(api.store, { tenant: 'globex' });
  await api.store.appendAudit({ type: 'quota.set', runKey: null, actor: 'op', data: {} });
  await anchorAudit(api.store, UNSIGNED, 5);
  const reader = { scopes: ['read'] as const, roles: [] };
  const operator = await api.key(reader);
  const own = await api.key({ ...reader, tenant: 'acme' });
  expect(verified(await all(operator.secret))).toMatchObject({ isIntact: true, findings: [] });
  const ofTenant = await all(own.secret);
  expect(verified(ofTenant)).toMatchObject({ isIntact: true, findings: [] });
  expect(ofTenant.filter((line) => 'chain' in line && line.chain === `run:${acme.agentRunId}/${acme.firstExecutionRunId}`)).toHaveLength(6);
  expect(JSON.stringify(ofTenant)).not.toContain(globex.agentRunId);
  expect(verified(await all(own.secret, `&run=${acme.agentRunId}`))).toMatchObject({ isIntact: true, rows: 7 });
  expect((await get(own.secret, `?run=${globex.agentRunId}`)).status).toBe(404);
  expect((await get(own.secret, '?tenant=globex')).status).toBe(403);
  // A cursor of one's own making leads nowhere else.
  for (let chain = -1; chain < 9; chain += 1) {
    const cursor = Buffer.from(JSON.stringify([chain, 0])).toString('base64url');
    const { body } = await get(own.secret, `?cursor=${cursor}`);
    for (const line of body.lines) expect(line.chain).toMatch(/^anchors$|^run:.*/);
    expect(JSON.stringify(body)).not.toContain(globex.agentRunId);
  }
  expect((await get(own.secret, '?cursor=x')).status).toBe(400);
  const starter = await api.key({ scopes: ['start'], roles: [], tenant: 'acme' });
  expect((await get(starter.secret, '')).status).toBe(403);
});

test('the audit is exported as one stream of JSON lines that verifies, of the caller’s tenant alone', async () => {
  const acme = await startRun(api.store, { tenant: 'acme' });
  for (let rows = 0; rows < 1_100; rows += 1) await api.store.appendAudit({ type: 'note', runKey: acme, actor: 'x', data: { rows } });
  const globex = await startRun(api.store, { tenant: 'globex' });
  await anchorAudit(api.store, UNSIGNED, 5);
  const stream = async (secret: string, query = '') => {
    const { statusCode, headers, body } = await api.app.inject({ url: `/v1/audit/export${query}`, headers: { authorization: `Bearer ${secret}` } });
    return { status: statusCode, type: headers['content-type'], body };
  };
  const linesOf = (body: string) =>
    body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  const operator = await api.key({ scopes: ['read'] });
  const own = await api.key({ scopes: ['read'], tenant: 'acme', name: 'acme' });
  const whole = await stream(operator.secret);
  expect([whole.status, whole.type]).toEqual([200, 'application/x-ndjson']);
  expect(verified(linesOf(whole.body))).toMatchObject({ isIntact: true, findings: [] });
  expect(whole.body).toContain(globex.agentRunId);
  const ofTenant = await stream(own.secret, `?run=${acme.agentRunId}`);
  expect(verified(linesOf(ofTenant.body))).toMatchObject({ isIntact: true, rows: 1_102 });
  expect((await stream(own.secret)).body).not.toContain(globex.agentRunId);
  expect((await stream(own.secret, `?run=${globex.agentRunId}`)).status).toBe(404);
  expect((await stream(own.secret, '?tenant=globex')).status).toBe(403);
  expect((await stream(operator.secret, '?from=yesterday')).status).toBe(400);
  expect((await stream((await api.key({ scopes: ['start'], name: 'starter' })).secret)).status).toBe(403);
});

test('a key that is revoked while it reads gets no further, and what it has is found to be cut short', async () => {
  for (let rows = 0; rows < 1_100; rows += 1) await api.store.appendAudit({ type: 'note', runKey: api.run, actor: 'x', data: { rows } });
  const { secret, keyId } = await api.key({ scopes: ['read'] });
  const listChain = api.store.listChain.bind(api.store);
  let pages = 0;
  api.store.listChain = async (filter) => {
    pages += 1;
    if (pages === 3) await api.store.revokeApiKey(keyId);
    return await listChain(filter);
  };
  const { body } = await api.app.inject({ url: '/v1/audit/export', headers: { authorization: `Bearer ${secret}` } });
  const lines = body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(lines.length).toBeLessThan(1_100);
  expect(verified(lines).findings.map(({ kind }) => kind)).toContain('cutShort');
});
