import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { newDecisionKeyPair } from '../../adapters/keys/decision-keys.ts';
import { createHttpAgentClient } from '../../client/http-agent-client.ts';
import { HttpStage } from '../support/http-stage.ts';
import { AUDIENCE, KeyServer } from '../support/issuer.ts';
import { waitFor } from '../support/wait-for.ts';

const [pair, other] = [newDecisionKeyPair(), newDecisionKeyPair()];
/** Workers get public keys alone: a new one that signs nothing yet beside the one that does. */
const stage = new HttpStage({ TOLLGATE_DECISION_PUBLIC_KEYS: `${other.publicKey},${pair.publicKey}` });
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
async function gateOf(id: string) {
  await client(starter).start('pay', { message: 'hi' }, { id });
  return await waitFor('a gate', async () => (await client(starter).pendingApprovals()).find((gate) => gate.agentRunId === id));
}
const statusOf = async (approvalId: string) => (await stage.store.findGate(approvalId as never))?.status;
/** What the Temporal CLI sends: a signal, by hand. */
function signal(id: string, name: string, payload: string): void {
  const args = ['workflow', 'signal', '--address', stage.address, '--workflow-id', id, '--name', name, '--input', payload];
  const { status, stderr } = spawnSync(inject('temporalCli'), args, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.anything()]);
}
const refusals = async (agentRunId: string) => {
  const { runKey } = await stage.run(agentRunId);
  return (await stage.store.listAudit({ runKey, limit: 100 }))
    .filter(({ type }) => type === 'decision.refused')
    .map(({ data }) => (data as { reason: string }).reason);
};

test('the API signs for the person of the token, and the worker, which holds public keys alone, counts it', async () => {
  const gate = await gateOf('by-token');
  const [alice, intern, stranger] = [
    client(await tokenOf('alice')),
    client(await tokenOf('ida', 'acme', ['interns'])),
    client(await tokenOf('mallory', 'globex')),
  ];
  // What is not theirs is not there: neither the role of the gate nor its tenant is the caller's to claim.
  for (const nobody of [intern, stranger]) {
    expect(await nobody.pendingApprovals()).toEqual([]);
    await expect(nobody.approval(gate.approvalId)).rejects.toMatchObject({ type: 'notFound' });
    expect(await nobody.approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    await expect(nobody.signDecision(gate.approvalId, { verdict: 'approve', actionDigest: gate.actionDigest })).rejects.toMatchObject({ type: 'notFound' });
    await expect(nobody.start('hello', { message: 'hi' })).rejects.toMatchObject({ type: 'forbidden' });
  }
  expect((await alice.pendingApprovals()).map(({ approvalId }) => approvalId)).toContain(gate.approvalId);
  expect(await statusOf(gate.approvalId)).toBe('open');
  expect(await alice.approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'accepted' });
  expect(await client(starter).result('by-token')).toMatchObject({ status: 'completed', output: 'paid' });
  const { votes } = await alice.approval(gate.approvalId);
  expect(votes).toMatchObject([{ approver: `oidc:${issuer.url.slice('http://'.length)}#alice`, displayName: 'alice', roles: ['lead'], unverified: false }]);
});

test('a bare signal does not count, nor does one signed with the development key; a decision that the CLI signed does, for its gate alone', {
  timeout: 120_000,
}, async () => {
  const [gate, another] = [await gateOf('by-signal'), await gateOf('by-signal-2')];
  const { approvalId, actionDigest } = gate;
  signal('by-signal', 'approve', JSON.stringify({ approvalId, actionDigest }));
  await waitFor('its refusal', async () => (await refusals('by-signal')).includes('unsignedNotAllowed'));
  // The command line that holds the development key, and names itself, signs for nobody here.
  const forged = await stage.cli(['sign-decision', approvalId, '--digest', actionDigest, '--approve'], '', { ...stage.environment, TOLLGATE_AS: 'alice:lead' });
  expect(forged.code).toBe(0);
  signal('by-signal', 'approve', forged.stdout.trim());
  await waitFor('its refusal', async () => (await refusals('by-signal')).includes('badSignature'));
  expect(await statusOf(approvalId)).toBe('open');

  const signed = await stage.overHttp(await tokenOf('alice'), ['sign-decision', approvalId, '--digest', actionDigest, '--approve', '--comment', 'fine']);
  expect([signed.code, signed.stderr]).toEqual([0, expect.stringContaining('temporal workflow signal --workflow-id "by-signal" --name approve')]);
  const payload = JSON.parse(signed.stdout) as { readonly signedDecision: string };
  // Neither for another gate, nor as another verdict.
  signal('by-signal-2', 'approve', JSON.stringify({ ...payload, approvalId: another.approvalId, actionDigest: another.actionDigest }));
  await waitFor('its refusal', async () => (await refusals('by-signal-2')).includes('badSignature'));
  signal('by-signal', 'deny', signed.stdout.trim());
  await waitFor('its refusal', async () => (await refusals('by-signal')).filter((reason) => reason === 'badSignature').length === 2);
  signal('by-signal', 'approve', signed.stdout.trim());
  expect(await client(starter).result('by-signal')).toMatchObject({ status: 'completed', output: 'paid' });
  expect([await statusOf(approvalId), await statusOf(another.approvalId)]).toEqual(['consumed', 'open']);
  await client(starter).cancel('by-signal-2');
});

test('the command line signs for a person with a token alone; who one plays is refused where an issuer knows people', { timeout: 120_000 }, async () => {
  const { approvalId, actionDigest } = await gateOf('by-cli');
  const approve = (env: NodeJS.ProcessEnv) => stage.cli(['approve', approvalId, '--digest', actionDigest], '', { ...stage.environment, ...people(), ...env });
  const played = await approve({ TOLLGATE_AS: 'alice:lead' });
  expect([played.code, played.stderr]).toEqual([2, expect.stringContaining('TOLLGATE_AS')]);
  expect((await approve({})).code).toBe(2);
  expect((await approve({ TOLLGATE_TOKEN: `${await tokenOf('alice')}x` })).code).toBe(2);
  const stranger = await approve({ TOLLGATE_TOKEN: await tokenOf('mallory', 'globex') });
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('unknownGate')]);
  expect(await statusOf(approvalId)).toBe('open');
  const alice = await approve({ TOLLGATE_TOKEN: await tokenOf('alice') });
  expect([alice.code, alice.stderr]).toEqual([0, '']);
  expect(await client(starter).result('by-cli')).toMatchObject({ status: 'completed' });
});

test('where the configuration allows it a bare signal counts, as unverified; the key that signed it speaks for no person', { timeout: 120_000 }, async () => {
  for (const worker of stage.workers) await stage.kill(worker);
  await stage.startWorker({ TOLLGATE_UNSIGNED_SIGNALS: 'allow' });
  const { approvalId, actionDigest } = await gateOf('unverified');
  const forged = await stage.cli(['sign-decision', approvalId, '--digest', actionDigest, '--approve'], '', { ...stage.environment, TOLLGATE_AS: 'alice:lead' });
  signal('unverified', 'approve', forged.stdout.trim());
  await waitFor('its refusal', async () => (await refusals('unverified')).includes('badSignature'));
  signal('unverified', 'approve', JSON.stringify({ approvalId, actionDigest }));
  expect(await client(starter).result('unverified')).toMatchObject({ status: 'completed', output: 'paid' });
  expect((await client(await tokenOf('alice')).approval(approvalId)).votes).toMatchObject([{ approver: 'developer', unverified: true }]);
});
