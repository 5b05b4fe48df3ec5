import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Delegation } from '../../contracts/statement.ts';
import type { GateContext, InboxReport } from '../../client/inbox-report.ts';
import type { OverviewReport } from '../../client/overview-report.ts';
import type { TimelineReport } from '../../client/timeline-report.ts';
import { traceOf } from '../../telemetry/trace-ids.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { newDelegation, newStanding, newStop } from '../support/store-contract/grant-contract.ts';
import { newGate, newToolCall, newVote, reply, reserve, startRun, usd } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
beforeEach(async () => {
  api = await openApiFixture({ temporalUi: { url: 'http://127.0.0.1:8233', namespace: 'default' }, traceUrl: 'http://127.0.0.1:16686/trace/{traceId}' });
});
afterEach(() => api.close());

async function ask<T>(url: string, secret?: string): Promise<{ readonly status: number; readonly body: T }> {
  const answer = await api.app.inject({ method: 'GET', url, ...(secret === undefined ? {} : { headers: { authorization: `Bearer ${secret}` } }) });
  return { status: answer.statusCode, body: answer.json<T>() };
}

test('the inbox says of each gate whether it waits for the very caller, and shows no other tenant’s', async () => {
  const { store, run, gate } = api;
  const own = await store.createGate(newGate(run, { requester: 'key:bob', expiresAtMs: 1 }));
  const voted = await store.createGate(newGate(run, { expiresAtMs: 2, policy: { ...gate.policy, approvers: 2 }, votes: [newVote({ approver: 'key:bob' })] }));
  const large = await store.createGate(
    newGate(run, { expiresAtMs: 5, policy: { ...gate.policy, limits: [{ role: 'approver', when: [{ path: 'amount', operator: '<=', value: 10 }] }] } }),
  );
  const foreign = await store.createGate(newGate(await startRun(store, { tenant: 'globex' }), { expiresAtMs: 3 }));
  const other = await store.createGate(newGate(run, { expiresAtMs: 4, policy: { ...gate.policy, role: 'treasurer' } }));
  const { secret } = await api.key({ scopes: ['read', 'decide'], roles: ['approver'], name: 'bob', tenant: 'acme' });

  const { body } = await ask<InboxReport>('/v1/inbox', secret);
  expect(body.gates.map(({ gate: { approvalId }, standing }) => [approvalId, standing])).toEqual([
    [own.approvalId, 'yourOwnRun'],
    [voted.approvalId, 'youHaveDecided'],
    [other.approvalId, 'otherRole'],
    [large.approvalId, 'overLimit'],
    [gate.approvalId, 'waitsForYou'],
  ]);
  expect(body.total).toBe(5);
  expect((await ask(`/v1/approvals/${foreign.approvalId}/context`, secret)).status).toBe(404);
  expect((await ask(`/v1/approvals/${gate.approvalId}/context`, secret)).status).toBe(200);
  const starter = await api.key({ scopes: ['start'], name: 'starter' });
  expect((await ask('/v1/inbox', starter.secret)).status).toBe(403);
});

test('the list is as long as asked for, and says how many there are', async () => {
  for (let index = 0; index < 3; index += 1) await api.store.createGate(newGate(api.run));
  expect((await ask<InboxReport>('/v1/inbox?limit=2')).body).toMatchObject({ gates: [{}, {}], total: 4 });
  expect((await ask('/v1/inbox?limit=100000')).status).toBe(400);
});

test('the context of a gate has why, what was done and spent before, and what became of the action', async () => {
  const { store } = api;
  const run = await startRun(store, { tenant: 'acme', limitNanoUsd: usd(5_000_000) });
  await store.putNode(run, 'input', { role: 'user', text: 'The tent is torn.' });
  const head = { attemptId: null, nodeIds: ['input'] };
  const look = { toolCallId: 'c1' as never, name: 'find_order', argumentsText: '{}' };
  const first = await reserve(store, run, { step: 1, head });
  await store.reportAttempt(run, first, {
    outcome: { type: 'reply' },
    reply: { ...reply('I look it up.'), toolCalls: [look] },
    money: { type: 'settle', costNanoUsd: usd(60) },
  });
  await store.journalRead(newToolCall(run, { attemptId: first }), { status: 'done', result: {}, isError: false });
  const second = await reserve(store, run, { step: 2, head });
  await store.reportAttempt(run, second, { outcome: { type: 'reply' }, reply: reply('I refund it.'), money: { type: 'settle', costNanoUsd: usd(40) } });
  const gate = await store.createGate(newGate(run, { attemptId: second }));

  const { body } = await ask<GateContext>(`/v1/approvals/${gate.approvalId}/context`);
  expect(body).toMatchObject({
    gate: { approvalId: gate.approvalId, arguments: { order: 'W1', amount: 12.5 } },
    said: 'I refund it.',
    asked: 'The tent is torn.',
    step: 2,
    done: [{ step: 1, tool: 'find_order', effect: 'read', status: 'done' }],
    calls: 2,
    spentUsd: '0.0000001',
    action: null,
    others: [],
    standing: 'waitsForYou',
    run: { requester: 'alice', ledger: { limitUsd: '0.005' } },
  });

  const timeline = (await ask<TimelineReport & { temporalUrl: string; traceUrl: string }>(`/v1/runs/${run.agentRunId}/timeline`)).body;
  expect(timeline.spans.map(({ type, step, status }) => [type, step, status]).toSorted()).toEqual([
    ['attempt', 1, 'ok'],
    ['attempt', 2, 'ok'],
    ['gate', 2, 'open'],
    ['toolCall', 1, 'done'],
  ]);
  expect(timeline.traceUrl).toBe(`http://127.0.0.1:16686/trace/${traceOf({ runKey: run }).traceId}`);
  expect(timeline.temporalUrl).toBe(`http://127.0.0.1:8233/namespaces/default/workflows/${run.agentRunId}`);
});

test('a gate says what holds its action back, in the list and by itself', async () => {
  await api.store.throwStop(newStop({ tool: api.gate.tool }));
  const stopped = [{ by: 'alice', reason: 'it pays twice' }];
  expect((await ask<InboxReport>('/v1/inbox')).body).toMatchObject({ gates: [{ gate: { stopped } }] });
  expect((await ask<GateContext>(`/v1/approvals/${api.gate.approvalId}/context`)).body).toMatchObject({ gate: { stopped }, grant: null });
});

test('a gate that a standing approval approved names it, with what is used and what it may come to', async () => {
  const { store, run } = api;
  const record = newStanding();
  await store.createStanding(record, 'alice');
  const { standingId } = record;
  const gate = await store.createGate(newGate(run, { status: 'approved', decidedAtMs: 5, standing: { standingId, grantedBy: ['alice'] } }));
  const { body } = await ask<GateContext>(`/v1/approvals/${gate.approvalId}/context`);
  expect(body).toMatchObject({
    standing: 'closed',
    gate: { votes: [], standing: { standingId, grantedBy: ['alice'] } },
    grant: { standingId, uses: 0, maxUses: 3, used: 0, total: { argument: 'amount', atMost: 100 }, summary: expect.stringContaining('refund for acme') },
  });
});

test('a gate says what rules would ask that are only tried out', async () => {
  const { store, run, gate } = api;
  const tried = await store.createGate(newGate(run, { tried: { ...gate.policy, needs: [{ role: 'finance', approvers: 1 }] } }));
  const { body } = await ask<GateContext>(`/v1/approvals/${tried.approvalId}/context`);
  expect(body.gate).toMatchObject({ tried: { role: 'approver', needs: [{ role: 'finance', approvers: 1 }] } });
  expect(body.gate).not.toHaveProperty('needs');
});

describe('whoever stands for somebody who is away', () => {
  const delegate = (change: Partial<Delegation>) =>
    api.store.createDelegation({
      delegation: newDelegation({ to: 'key:bob', role: 'approver', tenant: 'acme', fromMs: 1, untilMs: 4_000_000_000_000, ...change }),
      signed: 'body.signature',
    });
  const standing = async (secret: string, approvalId = api.gate.approvalId) =>
    (await ask<InboxReport>('/v1/inbox', secret)).body.gates.find(({ gate }) => gate.approvalId === approvalId);

  test('has that one’s gates waiting, and is told for whom', async () => {
    const { secret } = await api.key({ scopes: ['read', 'decide'], roles: ['intern'], name: 'bob', tenant: 'acme' });
    expect(await standing(secret)).toMatchObject({ standing: 'otherRole' });
    await delegate({ delegator: 'dora' });
    expect(await standing(secret)).toMatchObject({ standing: 'waitsForYou', onBehalfOf: 'dora' });
  });

  test('has none waiting under a delegation that is over, for another tenant, of another role, or of who asked for the run', async () => {
    const { secret } = await api.key({ scopes: ['read', 'decide'], roles: ['intern'], name: 'bob', tenant: 'acme' });
    const nowMs = await api.store.nowMs();
    await delegate({ delegator: 'dora', fromMs: nowMs - 10, untilMs: nowMs - 1 });
    await delegate({ delegator: 'dora', tenant: 'globex' });
    await delegate({ delegator: 'dora', role: 'treasurer' });
    await delegate({ delegator: 'alice' });
    expect(await standing(secret)).toMatchObject({ standing: 'otherRole' });
  });

  test('is told where that one has decided already', async () => {
    const { store, run, gate } = api;
    const { secret } = await api.key({ scopes: ['read', 'decide'], roles: ['intern'], name: 'bob', tenant: 'acme' });
    await delegate({ delegator: 'dora' });
    const voted = await store.createGate(newGate(run, { policy: { ...gate.policy, approvers: 2 }, votes: [newVote({ approver: 'dora' })] }));
    expect(await standing(secret, voted.approvalId)).toMatchObject({ standing: 'countedAlready', onBehalfOf: 'dora' });
  });
});

test('the overview sums spend and waits by day, task and tenant, for a key of one tenant that tenant’s alone', async () => {
  const { store } = api;
  const nowMs = await store.nowMs();
  for (const [tenant, nanoUsd, waitMs] of [
    ['acme', 3_000, 10_000],
    ['globex', 5_000, 30_000],
  ] as const) {
    const run = await startRun(store, { tenant, limitNanoUsd: usd(10_000) });
    const id = await reserve(store, run, { reservedNanoUsd: usd(9_000) });
    await store.reportAttempt(run, id, { outcome: { type: 'reply' }, reply: reply('x'), money: { type: 'settle', costNanoUsd: usd(nanoUsd) } });
    await store.createGate(newGate(run, { status: 'denied', createdAtMs: nowMs - waitMs, decidedAtMs: nowMs }));
  }
  const { body } = await ask<OverviewReport>('/v1/overview?days=3');
  expect(body.days.map(({ settledUsd }) => settledUsd)).toEqual(['0.00', '0.00', '0.000008']);
  expect(body.byTenant).toMatchObject([
    { tenant: 'globex', settledUsd: '0.000005', decided: 1, medianMs: 30_000, runs: { running: 1 } },
    { tenant: 'acme', settledUsd: '0.000003', decided: 1, gates: 2, medianMs: 10_000, runs: { running: 1, awaitingApproval: 1 } },
  ]);
  expect(body).toMatchObject({ waiting: { gates: 3, decided: 2, open: 1, medianMs: 10_000, p95Ms: 30_000 }, isComplete: true });
  const { secret } = await api.key({ scopes: ['read'], tenant: 'acme' });
  const seen = (await ask<OverviewReport>('/v1/overview', secret)).body;
  expect(seen).toMatchObject({ byTenant: [{ tenant: 'acme' }], waiting: { gates: 2, open: 1 } });
  expect(JSON.stringify(seen)).not.toContain('globex');
  expect((await ask('/v1/overview?days=9000', secret)).status).toBe(400);
});

test('the page is served with a policy that lets nothing run but its own modules, and its files from a list alone', async () => {
  const page = await api.app.inject({ method: 'GET', url: '/inbox/gates/anything' });
  expect(page).toMatchObject({ statusCode: 200, headers: { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' } });
  const policy = String(page.headers['content-security-policy']);
  const [, inline = ''] = /<script type="importmap">(.*?)<\/script>/.exec(page.body) ?? [];
  expect(policy).toContain(`'sha256-${createHash('sha256').update(inline).digest('base64')}'`);
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(page.body.replace(/<script type="importmap">.*?<\/script>/, '')).not.toMatch(/<script(?![^>]* src=)|<style|\son\w+=|style=/);

  const names = [...page.body.matchAll(/"(\/inbox\/assets\/[^"]+)"/g)].map(([, name = '']) => name);
  expect(names.length).toBeGreaterThanOrEqual(5);
  for (const name of names) expect(await api.app.inject({ method: 'GET', url: name }), name).toMatchObject({ statusCode: 200 });
  for (const path of ['..%2f..%2fpackage.json', '../http/app.ts', 'tsconfig.json', 'index.html', '%2e%2e/api-key.ts', 'preact', '__proto__'])
    expect((await api.app.inject({ method: 'GET', url: `/inbox/assets/${path}` })).body, path).not.toMatch(/"name": "tollgate"|compilerOptions|import /);
  expect(await api.app.inject({ method: 'GET', url: '/' })).toMatchObject({ statusCode: 302, headers: { location: '/inbox/' } });
});

test('the page’s modules import nothing that is not served', async () => {
  const seen = new Set<string>();
  const follow = async (url: string): Promise<void> => {
    if (seen.has(url)) return;
    seen.add(url);
    const { statusCode, body, headers } = await api.app.inject({ method: 'GET', url });
    expect(statusCode, url).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/javascript/);
    for (const [, target = ''] of body.matchAll(/^(?:import|export)[^'"]*from\s*['"](\.[^'"]+)['"]/gm))
      await follow(new URL(target, `http://page${url}`).pathname);
  };
  await follow('/inbox/assets/main.js');
  expect(seen.size).toBeGreaterThan(15);
  const { headers } = await api.app.inject({ method: 'GET', url: '/inbox/assets/main.js' });
  expect(await api.app.inject({ method: 'GET', url: '/inbox/assets/main.js', headers: { 'if-none-match': String(headers.etag) } })).toMatchObject({
    statusCode: 304,
  });
});
