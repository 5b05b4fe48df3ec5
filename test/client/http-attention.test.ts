import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createHttpAgentClient } from '../../client/http-agent-client.ts';
import type { GateReport } from '../../client/gate-report.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { type ApiFixture, openApiFixture } from '../support/http-api.ts';
import { auditNotes, newGate, startRun } from '../support/store-contract/fixtures.ts';

let api: ApiFixture;
let url: string;
let keys: Record<'alice' | 'bob' | 'intern' | 'stranger' | 'reader', string>;
beforeAll(async () => {
  api = await openApiFixture();
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  const key = async (name: string, change: object = {}) =>
    (await api.key({ name, scopes: ['read', 'decide'], roles: ['lead'], tenant: 'acme', ...change })).secret;
  keys = {
    alice: await key('alice'),
    bob: await key('bob'),
    intern: await key('ida', { roles: ['intern'] }),
    stranger: await key('mallory', { tenant: 'globex' }),
    reader: await key('rita', { scopes: ['read'] }),
  };
});
afterAll(async () => {
  await api.close();
});

const client = (name: keyof typeof keys) => createHttpAgentClient({ url, token: keys[name] });
const openGate = async (change: Partial<GateRecord> = {}) => {
  const run = await startRun(api.store, { tenant: 'acme' });
  const nowMs = await api.store.nowMs();
  return await api.store.createGate(
    newGate(run, {
      policy: { role: 'lead', approvers: 1, expiresAfterMs: 3_600_000, approvalValidForMs: 60_000 },
      status: 'open',
      votes: [],
      decidedAtMs: null,
      expiresAtMs: nowMs + 3_600_000,
      ...change,
    }),
  );
};
const post = async (path: string, name: keyof typeof keys, body?: unknown, headers: Record<string, string> = {}) =>
  await fetch(`${url}/v1/approvals/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${keys[name]}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe('taking a gate over HTTP', () => {
  test('shows others who looks at it; they may still decide, and whoever took it gives it back', async () => {
    const gate = await openGate();
    const took = await client('alice').take(gate.approvalId);
    expect(took).toMatchObject({ type: 'accepted', gate: { claim: { by: 'key:alice', until: expect.any(String) } } });
    expect((await client('bob').pendingApprovals()).find(({ approvalId }) => approvalId === gate.approvalId)?.claim).toMatchObject({ by: 'key:alice' });
    expect(await client('bob').take(gate.approvalId)).toMatchObject({ type: 'refused', reason: 'taken' });
    expect(await client('bob').release(gate.approvalId)).toMatchObject({ type: 'refused', reason: 'notTaken' });
    expect(await client('bob').approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'accepted' });
    expect(await client('alice').release(gate.approvalId)).toMatchObject({ type: 'accepted' });
    expect(((await client('bob').approval(gate.approvalId)) as GateReport).claim).toBeUndefined();
    expect((await auditNotes(api.store, gate.runKey)).map(({ type, actor }) => [type, actor])).toEqual([
      ['gate.taken', 'key:alice'],
      ['gate.released', 'key:alice'],
    ]);
  });

  test('runs out by itself', async () => {
    const gate = await openGate({ claim: { by: 'key:alice', untilMs: (await api.store.nowMs()) - 1 } });
    expect((await client('bob').approval(gate.approvalId)).claim).toBeUndefined();
    expect(await client('bob').take(gate.approvalId)).toMatchObject({ type: 'accepted', gate: { claim: { by: 'key:bob' } } });
  });

  test('two at once: one has it, and the other is told', async () => {
    const gate = await openGate();
    const both = await Promise.all([client('alice').take(gate.approvalId), client('bob').take(gate.approvalId)]);
    expect(both.map(({ type }) => type).toSorted()).toEqual(['accepted', 'refused']);
  });
});

describe('who may neither ask nor take', () => {
  test('another tenant, who finds no gate there; no role; no scope', async () => {
    const gate = await openGate();
    const question = { text: 'why?', actionDigest: gate.actionDigest };
    for (const [path, body] of [
      ['claim', undefined],
      ['release', undefined],
      ['questions', question],
    ] as const) {
      const there = await post(`${gate.approvalId}/${path}`, 'stranger', body);
      const nowhere = await post(`no-such-gate/${path}`, 'stranger', body);
      expect([there.status, nowhere.status], path).toEqual([404, 404]);
      const said = (await there.json()) as { readonly detail: string };
      expect(JSON.stringify(said)).toBe(JSON.stringify(await nowhere.json()).replaceAll('no-such-gate', gate.approvalId));
      expect((await post(`${gate.approvalId}/${path}`, 'reader', body)).status, path).toBe(403);
    }
    const claim = await post(`${gate.approvalId}/claim`, 'intern');
    expect(claim.status).toBe(403);
    expect(await claim.json()).toMatchObject({ failureType: 'decisionRefused', reason: 'wrongRole' });
    expect(api.done.filter((what) => what.includes(gate.approvalId))).toEqual([]);
    expect(await api.store.getGate(gate.runKey, gate.approvalId)).toEqual(gate);
  });

  test('a page of somebody else’s', async () => {
    const gate = await openGate();
    for (const path of ['claim', 'release', 'questions']) {
      const body = path === 'questions' ? { text: 'why?', actionDigest: gate.actionDigest } : undefined;
      const answer = await fetch(`${url}/v1/approvals/${gate.approvalId}/${path}`, {
        method: 'POST',
        headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site', ...(body ? { 'content-type': 'application/json' } : {}) },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      expect([401, 403], path).toContain(answer.status);
    }
    expect(await api.store.getGate(gate.runKey, gate.approvalId)).toEqual(gate);
  });
});

describe('asking over HTTP', () => {
  test('names what the gate showed, once for each id, within a length', async () => {
    const gate = await openGate();
    const question = { text: 'why?', actionDigest: gate.actionDigest, questionId: 'q-1' };
    const answer = await post(`${gate.approvalId}/questions`, 'alice', question);
    expect([answer.status, await answer.json()]).toMatchObject([200, { type: 'accepted', questionId: 'q-1', gateStatus: 'open' }]);
    expect(api.done).toContain(`key:alice ask ${gate.approvalId}`);
    for (const bad of [
      { text: 'why?' },
      { ...question, text: '' },
      { ...question, text: 'x'.repeat(2_001) },
      { ...question, asker: 'bob' },
      { ...question, actionDigest: 'x' },
    ])
      expect((await post(`${gate.approvalId}/questions`, 'alice', bad)).status).toBe(400);
  });

  test('a question and its answer are shown with the gate', async () => {
    const gate = await openGate();
    const answer = { type: 'answered', text: 'approved <b>', model: 'gpt-5-mini', attemptId: 'a' as never, atMs: 2 } as const;
    const questions = [{ questionId: 'q', by: 'key:bob', text: 'why?', atMs: 1, actionDigest: gate.actionDigest, answer }];
    await api.store.changeGate(gate.runKey, gate.approvalId, (row) => ({ gate: { ...row, questions }, audit: [] }));
    const shown = await client('alice').approval(gate.approvalId);
    expect(shown).toMatchObject({
      status: 'open',
      approvals: 0,
      questions: [{ by: 'key:bob', text: 'why?', answer: { type: 'answered', text: 'approved <b>' } }],
    });
    expect(shown.questions?.[0]?.answer).not.toHaveProperty('attemptId');
  });
});
