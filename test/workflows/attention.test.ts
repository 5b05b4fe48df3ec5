import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDecisionKeyPair } from '../../adapters/keys/decision-keys.ts';
import { createHttpAgentClient } from '../../client/http-agent-client.ts';
import type { QuestionReport } from '../../client/gate-report.ts';
import { HttpStage } from '../support/http-stage.ts';
import { AUDIENCE, KeyServer } from '../support/issuer.ts';
import { waitFor } from '../support/wait-for.ts';

const pair = newDecisionKeyPair();
const stage = new HttpStage({ TOLLGATE_DECISION_PUBLIC_KEYS: pair.publicKey });
let issuer: KeyServer;
let starter: string;
const people = () => ({
  TOLLGATE_DECISION_KEY: pair.privateKey,
  TOLLGATE_OIDC_ISSUER: issuer.url,
  TOLLGATE_OIDC_AUDIENCE: AUDIENCE,
  TOLLGATE_OIDC_ROLES: 'payments=lead',
});
beforeAll(async () => {
  issuer = await KeyServer.listen();
  await stage.openWithApi(people());
  starter = await stage.key('shop', ['start', 'read'], { tenant: 'acme' });
});
afterAll(async () => {
  await stage.close();
  await issuer.close();
});

const client = (token: string) => createHttpAgentClient({ url: stage.url, token });
const tokenOf = (sub: string, tenant = 'acme', roles = ['payments']) => issuer.token({ sub, tenant, roles });
const nameOf = (sub: string) => `oidc:${issuer.url.slice('http://'.length)}#${sub}`;
async function gateOf(id: string) {
  await client(starter).start('pay', { message: 'hi' }, { id });
  return await waitFor('a gate', async () => (await client(starter).pendingApprovals()).find((gate) => gate.agentRunId === id));
}
const auditOf = async (agentRunId: string) => {
  const { runKey } = await stage.run(agentRunId);
  const ofAttention = ({ type }: { readonly type: string }) => /^(question\.|gate\.(taken|released))/.test(type);
  return (await stage.store.listAudit({ runKey, limit: 100 })).filter(ofAttention).map(({ type, actor }) => [type, actor]);
};

test('a person asks and takes through the API in their own name; another tenant’s or one without the role can do neither', {
  timeout: 120_000,
}, async () => {
  const { approvalId, actionDigest } = await gateOf('asked-by-token');
  const nobodies = [await tokenOf('ida', 'acme', ['interns']), await tokenOf('mallory', 'globex'), await tokenOf('eve', 'acme', [])];
  for (const nobody of nobodies.map(client)) {
    expect(await nobody.ask(approvalId, { text: 'why?', actionDigest })).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    expect(await nobody.take(approvalId)).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    expect(await nobody.release(approvalId)).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    await expect(nobody.ask(approvalId, { text: 'why?' })).rejects.toMatchObject({ type: 'notFound' });
  }
  // A key of the tenant that starts runs holds no role.
  const backend = client(await stage.key('backend', ['read', 'decide'], { tenant: 'acme' }));
  expect(await backend.ask(approvalId, { text: 'why?' })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
  expect(await backend.take(approvalId)).toMatchObject({ type: 'refused', reason: 'wrongRole' });
  expect((await stage.store.findGate(approvalId as never)) as object).toMatchObject({ status: 'open', votes: [] });

  const alice = client(await tokenOf('alice'));
  expect(await alice.take(approvalId)).toMatchObject({ type: 'accepted', gate: { claim: { by: nameOf('alice'), displayName: 'alice' } } });
  const taken = await alice.ask(approvalId, { text: 'why?' });
  expect(taken).toMatchObject({ type: 'accepted', gateStatus: 'open' });
  const question = await waitFor('an answer', async () => (await alice.approval(approvalId)).questions?.find(({ answer }) => answer));
  expect(question).toMatchObject({ by: nameOf('alice'), displayName: 'alice', text: 'why?', answer: { type: 'answered' } });
  expect(await alice.release(approvalId)).toMatchObject({ type: 'accepted' });
  expect(await auditOf('asked-by-token')).toEqual([
    ['question.refused', 'key:backend'],
    ['gate.taken', nameOf('alice')],
    ['question.asked', nameOf('alice')],
    ['question.answered', 'tollgate'],
    ['gate.released', nameOf('alice')],
  ]);
  expect(await alice.approve(approvalId, { actionDigest })).toMatchObject({ type: 'accepted' });
  expect(await client(starter).result('asked-by-token')).toMatchObject({ status: 'completed', output: 'paid' });
});

test('the command line asks, takes and releases, over HTTP and beside the store, for a person with a token alone', { timeout: 240_000 }, async () => {
  const { approvalId } = await gateOf('asked-by-cli');
  const alice = await tokenOf('alice');
  const here = (args: readonly string[], token?: string) =>
    stage.cli(args, '', { ...stage.environment, ...people(), ...(token === undefined ? {} : { TOLLGATE_TOKEN: token }) });
  const overHttp = await stage.overHttp(alice, ['approvals', 'ask', approvalId, 'why?', '--json']);
  expect([overHttp.code, overHttp.stderr]).toEqual([0, '']);
  expect(JSON.parse(overHttp.stdout) as QuestionReport).toMatchObject({ by: nameOf('alice'), text: 'why?', answer: { type: 'answered' } });
  expect((await stage.overHttp(alice, ['approvals', 'take', approvalId])).stdout).toMatch(/^taken until \d{4}-/);

  expect((await here(['approvals', 'ask', approvalId, 'why?'])).code).toBe(2);
  const stranger = await here(['approvals', 'take', approvalId], await tokenOf('mallory', 'globex'));
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('unknownGate')]);
  const beside = await here(['approvals', 'ask', approvalId, 'and now?'], alice);
  expect([beside.code, beside.stderr]).toEqual([0, '']);
  expect(beside.stdout).not.toBe('');
  expect((await here(['approvals', 'release', approvalId], alice)).stdout.trim()).toBe('released');
  expect((await auditOf('asked-by-cli')).filter(([type]) => type === 'question.answered')).toHaveLength(2);
  await client(starter).cancel('asked-by-cli');
});
