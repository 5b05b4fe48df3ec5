import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { newDecisionKeyPair } from '../../adapters/keys/decision-keys.ts';
import { createHttpAgentClient } from '../../client/http-agent-client.ts';
import type { RunReport } from '../../client/run-report.ts';
import { auditedRepairs } from '../support/repairs.ts';
import { HttpStage } from '../support/http-stage.ts';
import { waitFor } from '../support/wait-for.ts';

const pair = newDecisionKeyPair();
const stage = new HttpStage({ TOLLGATE_DECISION_PUBLIC_KEYS: pair.publicKey, TOLLGATE_OPERATOR_ROLE: 'on-call' });
let [starter, operator, decider, foreign] = ['', '', '', ''];
beforeAll(async () => {
  await stage.openWithApi({ TOLLGATE_DECISION_KEY: pair.privateKey });
  starter = await stage.key('shop', ['start', 'read'], { tenant: 'acme' });
  operator = await stage.key('ops', ['read', 'repair'], { tenant: 'acme', roles: ['on-call'] });
  decider = await stage.key('lead', ['read', 'decide'], { tenant: 'acme', roles: ['*'] });
  foreign = await stage.key('spy', ['read', 'repair'], { tenant: 'globex', roles: ['*'] });
});
afterAll(() => stage.close());

const client = (token: string) => createHttpAgentClient({ url: stage.url, token });
async function startPaying(id: string): Promise<void> {
  await client(starter).start('pay', { message: 'hi' }, { id });
  await waitFor('a gate', async () => (await client(starter).pendingApprovals()).find((gate) => gate.agentRunId === id));
}
const statusOf = async (id: string) => (await client(starter).show(id)).status;
const handleOf = (id: string) => stage.client.workflow.getHandle(id);
/** What the Temporal CLI sends: an update, by hand. */
function update(id: string, name: string, input: string): string {
  const args = ['workflow', 'update', 'execute', '--address', stage.address, '--workflow-id', id, '--name', name, '--input', input, '--output', 'json'];
  const { stdout, stderr } = spawnSync(inject('temporalCli'), args, { encoding: 'utf8' });
  return stdout + stderr;
}

test('over HTTP whoever has the scope and the role repairs, and nobody else; the answer says what holds', async () => {
  await startPaying('by-http');
  const given = { reason: 'the shop is down' };
  await expect(client(decider).repair('by-http', { type: 'pause' }, given)).rejects.toMatchObject({ type: 'forbidden' });
  await expect(client(foreign).repair('by-http', { type: 'pause' }, given)).rejects.toMatchObject({ type: 'notFound' });
  expect(await client(operator).repair('by-http', { type: 'raiseBudget', amountUsd: '1' }, given)).toMatchObject({ type: 'refused', reason: 'wrongRole' });
  await expect(client(operator).repair('by-http', { type: 'pause' }, { reason: ' ' })).rejects.toMatchObject({ type: 'invalidInput' });
  expect(await client(operator).repair('by-http', { type: 'pause' }, { ...given, repairId: 'pause-one' })).toMatchObject({ type: 'accepted' });
  expect(await client(operator).repair('by-http', { type: 'pause' }, given)).toMatchObject({ type: 'unchanged' });
  expect(await statusOf('by-http')).toBe('paused');
  expect((await client(starter).show('by-http')).repairs).toMatchObject([
    { repairId: 'pause-one', type: 'pause', actor: 'key:ops', reason: 'the shop is down' },
  ]);
  expect(await client(operator).repair('by-http', { type: 'resume' }, given)).toMatchObject({ type: 'accepted' });
  expect(await client(operator).repair('by-http', { type: 'pause' }, { ...given, repairId: 'pause-one' })).toMatchObject({ type: 'unchanged' });
  expect(await client(operator).repair('by-http', { type: 'skipStep', step: 1 }, given)).toMatchObject({ type: 'accepted' });
  expect(await client(starter).result('by-http')).toMatchObject({ status: 'completed' });
  expect(await client(operator).repair('by-http', { type: 'pause' }, given)).toMatchObject({ type: 'refused', reason: 'ended' });
  expect((await auditedRepairs(stage, handleOf('by-http'))).map(({ type }) => type)).toEqual([
    'repair.refused',
    'repair.pause',
    'repair.unchanged',
    'repair.resume',
    'repair.skipStep',
  ]);
});

test('from the Temporal CLI a bare update does not count; one that tollgate signed does, for its run alone; a saved view finds what is paused', {
  timeout: 120_000,
}, async () => {
  await startPaying('by-update');
  await startPaying('by-update-2');
  expect(update('by-update', 'pause', JSON.stringify({ reason: 'look' }))).toContain('unsignedNotAllowed');
  const signed = await stage.overHttp(operator, ['runs', 'sign-repair', 'by-update', 'pause', '--reason', 'look']);
  expect([signed.code, signed.stderr]).toEqual([0, expect.stringContaining('temporal workflow update execute --workflow-id "by-update" --name pause')]);
  expect(update('by-update-2', 'pause', signed.stdout.trim())).toContain('wrongRun');
  expect(update('by-update', 'pause', signed.stdout.trim())).toContain('accepted');
  expect([await statusOf('by-update'), await statusOf('by-update-2')]).toEqual(['paused', 'awaitingApproval']);

  const idsOf = async (query: string) => {
    const ids: string[] = [];
    for await (const { workflowId } of stage.client.workflow.list({ query })) ids.push(workflowId);
    return ids;
  };
  await waitFor('visibility', async () => (await idsOf(`TollgateStatus = 'paused'`)).includes('by-update'));
  expect(await idsOf(`TollgateStatus = 'paused' AND ExecutionStatus = 'Running'`)).toEqual(['by-update']);
  expect(await idsOf(`TollgateAwaitingApproval = true AND ExecutionStatus = 'Running'`)).toContain('by-update-2');
  expect(await idsOf(`TollgateTask = 'pay' AND TollgateTenant = 'acme' AND TollgateStatus IN ('paused', 'awaitingApproval')`)).toHaveLength(2);
  expect(await idsOf(`ExecutionStatus = 'Running' AND TollgateBudgetUsd > 0 AND StartTime < '2199-01-01T00:00:00Z'`)).toHaveLength(2);
  expect(await idsOf(`ExecutionStatus = 'Failed' OR TollgateStatus = 'budgetExhausted'`)).toEqual([]);
});

test('the command line repairs, says what came of it, and refuses with a reason', { timeout: 120_000 }, async () => {
  await startPaying('by-cli');
  const run = (...args: string[]) => stage.overHttp(operator, ['runs', ...args]);
  expect((await run('pause', 'by-cli')).code).toBe(2);
  const paused = await run('pause', 'by-cli', '--reason', 'look');
  expect([paused.code, paused.stdout]).toEqual([0, expect.stringContaining('paused the run')]);
  const shown = await run('show', 'by-cli', '--json');
  expect(JSON.parse(shown.stdout) as RunReport).toMatchObject({ status: 'paused', repairs: [{ type: 'pause', reason: 'look' }] });
  expect((await run('show', 'by-cli')).stdout).toContain('repair  pause · key:ops');
  const raised = await run('raise-budget', 'by-cli', '1.5', '--reason', 'more');
  expect([raised.code, raised.stderr]).toEqual([1, expect.stringContaining('wrongRole')]);
  expect((await run('use-model', 'by-cli', 'gpt-5-mini', '--reason', 'prefer it')).code).toBe(0);
  expect((await run('skip-step', 'by-cli', '7', '--reason', 'x')).code).toBe(1);
  expect((await run('resume', 'by-cli', '--reason', 'done', '--json')).stdout).toContain('"type":"accepted"');
  await client(starter).cancel('by-cli');
});
