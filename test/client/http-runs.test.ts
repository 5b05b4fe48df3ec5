import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createAgentClient, createHttpAgentClient } from 'tollgate/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunReport } from '../../client/run-report.ts';
import { HttpStage } from '../support/http-stage.ts';
import { waitFor } from '../support/wait-for.ts';

const stage = new HttpStage();
let root: string;
beforeAll(async () => {
  await stage.openWithApi();
  root = await stage.key('root', ['start', 'read', 'decide'], { roles: ['lead'] });
});
afterAll(() => stage.close());

const client = (token = root) => createHttpAgentClient({ url: stage.url, token });
const input = { message: 'hi' };
const gateOf = (agentRunId: string, agent = client()) =>
  waitFor('a gate', async () => (await agent.pendingApprovals()).find((gate) => gate.agentRunId === agentRunId));

test('a run is started, waited for and read over HTTP as it is beside the store', async () => {
  const agent = client();
  const started = await agent.start('hello', input, { id: 'hello/1 ?#%', tenant: 'acme', feature: 'greeting', budgetUsd: '0.25' });
  const outcome = await agent.result(started.agentRunId);
  const local = createAgentClient({ client: stage.client, store: stage.store, identity: { name: 'x', roles: [] } });
  expect(outcome).toEqual(await local.result(started.agentRunId));
  expect(outcome).toMatchObject({ agentRunId: 'hello/1 ?#%', status: 'completed', output: 'hello', steps: 1, ledger: { limitNanoUsd: 250_000_000 } });
  const shown = await agent.show(started.agentRunId);
  const { stdout } = await stage.cli(['runs', 'show', started.agentRunId, '--json']);
  expect(JSON.parse(stdout)).toEqual(shown);
  expect(shown).toMatchObject({ ...started, requester: 'key:root', tenant: 'acme', feature: 'greeting' });
  const described = await agent.describe(started.agentRunId);
  expect(described).toEqual({ ...(await local.describe(started.agentRunId)), view: described.view });
  expect(described).toMatchObject({ tenant: 'acme', temporalStatus: 'COMPLETED', closedAt: expect.any(Date) });
  expect((await agent.list({ tenant: 'acme' })).map(({ agentRunId }) => agentRunId)).toContain(started.agentRunId);
});

test('the same start again is the same run, also where twenty come at once', async () => {
  const started = await Promise.all(Array.from({ length: 20 }, () => client().start('pay', input, { id: 'once' })));
  expect(new Set(started.map(({ firstExecutionRunId }) => firstExecutionRunId)).size).toBe(1);
  await gateOf('once');
  expect((await stage.store.listRuns({ limit: 1_000 })).filter(({ runKey }) => runKey.agentRunId === 'once')).toHaveLength(1);
  expect((await client().cancel('once')).type).toBe('requested');
  expect(await client().result('once')).toMatchObject({ status: 'cancelled' });
  // The store has the end first; Temporal closes the run a moment later.
  await waitFor('the end in Temporal', async () => (await client().cancel('once')).type === 'ended');
  const audit = await stage.store.listAudit({ limit: 1_000 });
  expect(audit).toContainEqual(expect.objectContaining({ type: 'run.cancelRequested', actor: 'key:root' }));
});

test('everything wrong with a start comes at once, in the words of the command line, and nothing is started', async () => {
  const wrong = () => client().start('hello', { text: 1 }, { id: 'wrong', budgetUsd: 'much' });
  await expect(wrong()).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringMatching(/input\.message.*budgetUsd/s) });
  await expect(client().start('nope', input)).rejects.toMatchObject({ type: 'unknownTask', message: expect.stringContaining('hello') });
  await expect(client().show('wrong')).rejects.toMatchObject({ type: 'notFound' });
});

describe('two tenants', () => {
  test('neither sees, steers nor decides what is the other’s, and an id belongs to the first', async () => {
    const all = ['start', 'read', 'decide'];
    const [acme, globex] = [
      client(await stage.key('a', all, { tenant: 'acme', roles: ['lead'] })),
      client(await stage.key('g', all, { tenant: 'globex', roles: ['lead'] })),
    ];
    await acme.start('pay', input, { id: 'acme-pays' });
    const gate = await gateOf('acme-pays', acme);
    expect((await globex.pendingApprovals()).map(({ agentRunId }) => agentRunId)).not.toContain('acme-pays');
    await expect(globex.show('acme-pays')).rejects.toMatchObject({ type: 'notFound' });
    await expect(globex.cancel('acme-pays')).rejects.toMatchObject({ type: 'notFound' });
    await expect(globex.addUserMessage('acme-pays', 'hi')).rejects.toMatchObject({ type: 'notFound' });
    await expect(globex.follow({ agentRunId: 'acme-pays' })[Symbol.asyncIterator]().next()).rejects.toMatchObject({ type: 'notFound' });
    expect(await globex.approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    expect(await globex.deny(gate.approvalId, { reason: 'no' })).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    await expect(globex.start('hello', input, { id: 'acme-pays' })).rejects.toMatchObject({ type: 'idTaken' });
    expect((await stage.store.findGate(gate.approvalId as never))?.status).toBe('open');
    expect(await acme.approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'accepted' });
    expect(await acme.result('acme-pays')).toMatchObject({ status: 'completed', output: 'paid' });
    await expect(globex.start('hello', input, { id: 'acme-pays' })).rejects.toMatchObject({ type: 'idTaken' });
  });

  test('a run that no worker has picked up yet belongs to its tenant already, and a workflow that is no run of ours to nobody', async () => {
    const acme = client(await stage.key('a', ['start', 'read'], { tenant: 'acme' }));
    const globex = client(await stage.key('g', ['start', 'read'], { tenant: 'globex' }));
    const handle = await stage.client.workflow.start('agentRun', { taskQueue: 'nobody', workflowId: 'unpinned', args: [], memo: { tollgateTenant: 'acme' } });
    expect(await acme.show('unpinned')).toMatchObject({ status: 'running', tenant: 'acme' });
    await expect(globex.show('unpinned')).rejects.toMatchObject({ type: 'notFound' });
    const other = await stage.client.workflow.start('somethingElse', { taskQueue: 'nobody', workflowId: 'not-ours', args: [] });
    await expect(client().cancel('not-ours')).rejects.toMatchObject({ type: 'notFound' });
    expect((await other.describe()).status.name).toBe('RUNNING');
    await Promise.all([handle.terminate(), other.terminate()]);
  });

  test('a run keeps its tenant through continue-as-new', async () => {
    await client().start('long', input, { id: 'long', tenant: 'acme' });
    expect(await client().result('long')).toMatchObject({ status: 'completed' });
    const described = await client().describe('long');
    expect((await stage.client.workflow.getHandle('long').describe()).runId).not.toBe(described.runKey.firstExecutionRunId);
    expect(described.tenant).toBe('acme');
  });
});

test('a decision is signed for the key that sends it, with its roles: wrong role, wrong digest and a second vote are refused', async () => {
  const [reader, bob] = [
    client(await stage.key('reader', ['read', 'decide'])),
    client(await stage.key('bob', ['read', 'decide'], { roles: ['lead', 'audit'] })),
  ];
  await client().start('pay', input, { id: 'pay' });
  const gate = await gateOf('pay');
  const { approvalId, actionDigest } = gate;
  expect(await reader.approval(approvalId)).toEqual(gate);
  expect(await reader.approve(approvalId, { actionDigest })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
  expect(await bob.approve(approvalId, { actionDigest: '0'.repeat(64) })).toMatchObject({ type: 'refused', reason: 'wrongDigest' });
  expect(await bob.approve(approvalId, { actionDigest: 'nonsense' })).toMatchObject({ type: 'refused', reason: 'malformed' });
  expect(await bob.withdraw(approvalId)).toMatchObject({ type: 'refused', reason: 'noVoteToWithdraw' });
  expect(await bob.approve(approvalId, { actionDigest, comment: 'fine' })).toMatchObject({ type: 'accepted' });
  expect(await bob.approve(approvalId, { actionDigest })).toMatchObject({ type: 'accepted' });
  await client().result('pay');
  expect(await bob.deny(approvalId, { reason: 'too late' })).toMatchObject({ type: 'refused', reason: 'closed' });
  const { votes } = await bob.approval(approvalId);
  expect(votes).toMatchObject([{ approver: 'key:bob', roles: ['lead', 'audit'], verdict: 'approve', unverified: false, comment: 'fine' }]);
});

test('a follower sees each state of a run, the last one as it is shown, and goes on after the API was killed and started again', async () => {
  await client().start('pay', input, { id: 'followed' });
  const seen: RunReport[] = [];
  const following = (async () => {
    for await (const report of client().follow({ agentRunId: 'followed' })) seen.push(report);
  })();
  const ended = client().result('followed');
  await waitFor('the gate in the stream', async () => seen.some(({ status }) => status === 'awaitingApproval'));
  await stage.crashApi(1_500);
  const gate = await gateOf('followed');
  expect(await client().approve(gate.approvalId, { actionDigest: gate.actionDigest })).toMatchObject({ type: 'accepted' });
  await following;
  expect(await ended).toMatchObject({ status: 'completed', output: 'paid' });
  expect(seen.at(-1)).toEqual(await client().show('followed'));
  expect(await stage.ledgerProblems('followed')).toEqual([]);
  expect(await stage.store.listToolCalls((await stage.run('followed')).runKey)).toHaveLength(1);
});

test('a client that goes away frees its place, and the run does not notice', async () => {
  await client().start('late', input, { id: 'left' });
  const headers = { authorization: `Bearer ${root}` };
  for (let round = 0; round < 4; round += 1) {
    const leaving = new AbortController();
    const streams = await Promise.all(
      Array.from({ length: 45 }, () => fetch(`${stage.url}/v1/runs/left/events`, { headers, signal: leaving.signal }).then(({ status }) => status)),
    );
    expect(new Set(streams), 'all let in, as the ones before have left').toEqual(new Set([200]));
    leaving.abort();
    await waitFor('their places', async () => (await fetch(`${stage.url}/v1/runs/left/result?waitMs=1`, { headers })).status < 300);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await client().result('left')).toMatchObject({ status: 'completed', output: 'at last' });
});

test('a message reaches the run', async () => {
  await client().start('late', input, { id: 'told' });
  await waitFor('the first step', async () => (await client().show('told')).attempts.length > 0);
  expect(await client().addUserMessage('told', 'and one more thing', { messageId: 'm-1' })).toEqual({ messageId: 'm-1' });
  await expect(client().addUserMessage('told', ' ')).rejects.toMatchObject({ type: 'invalidInput' });
  expect((await client().result('told')).steps).toBe(2);
  await expect(client().addUserMessage('told', 'too late')).rejects.toMatchObject({ type: 'notFound' });
});

describe('the command line over HTTP', { timeout: 180_000 }, () => {
  test('starts, shows, decides and waits with neither store nor Temporal, with the same output and exit codes', async () => {
    const waiting = stage.overHttp(root, ['run', 'pay', '--input', '-', '--id', 'cli', '--wait', '--json'], JSON.stringify(input));
    const gate = await gateOf('cli');
    const listed = await stage.overHttp(root, ['approvals', 'list', '--json']);
    expect(JSON.parse(listed.stdout)).toContainEqual(gate);
    const watching = stage.overHttp(root, ['runs', 'watch', 'cli']);
    const wrong = await stage.overHttp(root, ['approve', gate.approvalId, '--digest', '0'.repeat(64)]);
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('refused (wrongDigest)')]);
    const blind = await stage.overHttp(root, ['approve', gate.approvalId]);
    expect([blind.code, blind.stderr]).toEqual([2, expect.stringContaining('--digest')]);
    const approved = await stage.overHttp(root, ['approve', gate.approvalId, '--digest', gate.actionDigest, '--json']);
    expect([approved.code, JSON.parse(approved.stdout)]).toEqual([0, expect.objectContaining({ type: 'accepted' })]);
    const ended = await waiting;
    const shown = await stage.overHttp(root, ['runs', 'show', 'cli', '--json']);
    expect([ended.code, ended.stdout]).toEqual([0, shown.stdout]);
    expect(shown.stdout).toBe((await stage.cli(['runs', 'show', 'cli', '--json'])).stdout);
    expect(await watching).toMatchObject({ code: 0, stdout: expect.stringContaining('paid') });
    expect((await stage.overHttp(root, ['runs', 'list', '--limit', '1', '--json'])).stdout).toContain('"agentRunId":"cli"');
    expect((await stage.overHttp(root, ['runs', 'cancel', 'cli'])).code).toBe(1);
  });

  test('says the same as beside the store where something is wrong', async () => {
    const commands = [
      ['runs', 'show', 'no-such-run'],
      ['runs', 'cancel', 'no-such-run'],
      ['run', 'hello', '--input', '-', '--budget-usd', 'much'],
      ['run', 'hello', '--input', '-', '--id', 'ü'],
      ['approve', 'no-such-gate', '--digest', '0'.repeat(64)],
      ['deny', 'no-such-gate', '--reason', 'no'],
      ['runs', 'message', 'no-such-run', 'hi'],
    ];
    const empty = '{"message":" "}';
    for (const command of commands) {
      const [there, here] = await Promise.all([stage.overHttp(root, command, empty), stage.cli(command, empty)]);
      expect({ command, ...there }).toEqual({ command, ...here });
    }
  });

  test('says what to do about a key that is missing, wrong or too narrow, and about an API that is not there', async () => {
    const narrow = await stage.key('narrow', ['read']);
    const says = async (token: string | undefined, args: readonly string[]) => {
      const { code, stderr } = await stage.overHttp(token, args, '{"message":"hi"}');
      expect(code).toBe(2);
      return stderr;
    };
    expect(await says(undefined, ['runs', 'list'])).toContain('TOLLGATE_TOKEN');
    expect(await says('tg_wrong', ['runs', 'list'])).toContain('does not know the key');
    expect(await says(narrow, ['run', 'hello', '--input', '-'])).toContain('scope "start"');
    expect(await says(narrow, ['keys', 'list'])).toContain('Unset TOLLGATE_URL');
    const away = await stage.cli(['runs', 'list'], '', { PATH: process.env.PATH, TOLLGATE_URL: 'http://127.0.0.1:1' });
    expect(away).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: No Tollgate API answers at http:\/\/127\.0\.0\.1:1 .*tollgate serve/) });
    const doctor = await stage.overHttp(root, ['doctor', '--json']);
    expect([doctor.code, JSON.parse(doctor.stdout).checks.at(-1)]).toEqual([0, expect.objectContaining({ name: 'API', status: 'ok' })]);
  });

  test('sends a task folder with its recording, and one that calls out is refused', async () => {
    const folder = join(stage.folder, 'task');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'policy.md'), 'PAY');
    writeFileSync(
      join(folder, 'tools.json'),
      JSON.stringify([{ type: 'function', effect: 'irreversible', function: { name: 'pay', parameters: { type: 'object' } } }]),
    );
    writeFileSync(join(folder, 'results.jsonl'), '{"name":"pay","arguments":{"to":"bob"},"result":"ok"}\n');
    const task = (bind: string) =>
      `name: sent\nprompt: ./policy.md\nmodels: [gpt-5-mini]\nmaxOutputTokens: 64\nbudgetUsd: 0.1\ntools: [{ from: ./tools.json, bind: ${bind} }]\ngates: { irreversible: { role: lead } }\n`;
    const run = (id: string) => stage.overHttp(root, ['run', './task', '--input', '-', '--id', id, '--json'], '{"message":"hi"}');
    writeFileSync(join(folder, 'task.yaml'), task('{ http: https://example.com }'));
    expect(await run('outward')).toMatchObject({ code: 2, stderr: expect.stringContaining('recorded tools only') });
    writeFileSync(join(folder, 'task.yaml'), task('{ recorded: ./results.jsonl }'));
    expect(await run('sent')).toMatchObject({ code: 0, stdout: '{"agentRunId":"sent"}\n' });
    const gate = await gateOf('sent');
    await client().approve(gate.approvalId, { actionDigest: gate.actionDigest });
    expect(await client().result('sent')).toMatchObject({ status: 'completed', output: 'paid' });
  });
});

test('a key made at the command line works at once, and not after it was revoked', { timeout: 120_000 }, async () => {
  const made = JSON.parse((await stage.cli(['keys', 'create', 'carol', '--scopes', 'read', '--tenant', 'acme', '--json'])).stdout) as {
    keyId: string;
    secret: string;
  };
  expect(made).toMatchObject({ name: 'carol', scopes: ['read'], roles: [], tenant: 'acme', secret: expect.stringMatching(/^tg_[\w-]{43}$/) });
  expect((await client(made.secret).list()).every(({ tenant }) => tenant === 'acme')).toBe(true);
  const { stdout } = await stage.cli(['keys', 'list', '--json']);
  expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ keyId: made.keyId, revokedAt: null }));
  expect(stdout).not.toContain(made.secret);
  expect((await stage.cli(['keys', 'revoke', made.keyId])).code).toBe(0);
  await expect(client(made.secret).list()).rejects.toMatchObject({ type: 'unauthenticated' });
  expect(await stage.cli(['keys', 'revoke', 'no-such-key'])).toMatchObject({ code: 2, stderr: expect.stringContaining('keys list') });
  expect(await stage.cli(['keys', 'create', 'a b', '--scopes', 'all'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/name: .*scopes: /) });
  const audit = (await stage.store.listAudit({ limit: 1_000 })).filter(({ type }) => type.startsWith('apiKey.'));
  expect(audit.map(({ type }) => type)).toEqual(['apiKey.created', 'apiKey.revoked']);
  expect(JSON.stringify(audit)).not.toContain(made.secret);
});
