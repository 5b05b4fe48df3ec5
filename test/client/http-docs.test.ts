import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { endOf } from '../support/http-stage.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCENARIO = join(ROOT, 'adapters/providers/simulated/scenarios/customer-support.yaml');
const PAGE = readFileSync(join(ROOT, 'docs/http-api.md'), 'utf8');

const stage = new Stage();
let api: ReadyChild;
beforeAll(async () => {
  await stage.open({ scenarios: [parse(readFileSync(SCENARIO, 'utf8')) as ScenarioInput] });
  const env = { ...stage.environment, TOLLGATE_LISTEN: '127.0.0.1:0' };
  api = await startChild({ name: 'HTTP API', script: join(ROOT, 'client/http/main.ts'), env, cwd: ROOT, logPath: join(stage.folder, 'api.log') });
});
afterAll(async () => {
  await api?.stop();
  await stage.close();
});

/** Runs a block of the page as a reader would paste it. */
async function run(block: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { code, stdout, stderr } = await endOf('bash', ['-euc', block], { env: { ...stage.environment, ...env }, cwd: ROOT });
  expect({ block, code, stderr }).toEqual({ block, code: 0, stderr });
  return stdout;
}

test('the commands of docs/http-api.md do what the page says', { timeout: 180_000 }, async () => {
  const [keys = '', start = '', result = '', events = '', approve = '', edit = '', ...more] = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
    ([, block]) => block ?? '',
  );
  expect(more).toEqual([]);
  const local = keys.replaceAll('npx tollgate', `"${process.execPath}" client/cli/bin.mjs`);
  const [acme = '', alice = ''] = (await run(local, {})).split('\n');
  for (const secret of [acme, alice]) expect(secret).toMatch(/^tg_/);
  const API = String(api.ready.url);

  expect(JSON.parse(await run(start, { API, KEY: acme }))).toMatchObject({ agentRunId: 'refund-1042' });
  expect(JSON.parse(await run(start, { API, KEY: acme }))).toMatchObject({ agentRunId: 'refund-1042' });
  await waitFor('the gate', async () => (await stage.store.listGates({ status: 'open', limit: 1 }))[0]);
  expect(JSON.parse(await run(result, { API, KEY: acme }))).toEqual({ agentRunId: 'refund-1042', status: 'awaitingApproval' });
  expect(await run(events, { API, KEY: acme })).toMatch(/event: status[\s\S]*event: step[\s\S]*event: ledger[\s\S]*event: gate/);
  const edited = JSON.parse(await run(edit, { API, KEY: alice })) as { readonly edited: { readonly actionDigest: string } };
  expect(edited).toMatchObject({ type: 'accepted', gateStatus: 'open', edited: { actionDigest: expect.stringMatching(/^[0-9a-f]{64}$/) } });
  expect(JSON.parse(await run(approve, { API, KEY: alice }))).toMatchObject({ type: 'accepted', gateStatus: 'approved' });
  const ended = await waitFor('the end', async () => {
    const report = JSON.parse(await run(result, { API, KEY: acme })) as { status: string };
    return report.status === 'completed' && report;
  });
  expect(ended).toMatchObject({
    tenant: 'acme',
    requester: 'key:shop',
    gates: [{ status: 'consumed', actionDigest: edited.edited.actionDigest, arguments: { amountCents: 16_450 }, votes: [{ approver: 'key:alice' }] }],
  });
});

test('every route that the API has is on the page, and every one on the page is there', async () => {
  const { paths } = (await (await fetch(`${String(api.ready.url)}/v1/openapi.json`)).json()) as { paths: Record<string, Record<string, unknown>> };
  const there = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, '{id}')}`),
  );
  const told = [...PAGE.matchAll(/`(GET|POST) (\/[^`?]+)/g)].map(([, method, path]) => `${method} ${path}`);
  const shownByExample = ['POST /v1/runs', 'POST /v1/approvals/{id}/decisions'];
  expect([...new Set([...told, ...shownByExample])].toSorted()).toEqual(there.toSorted());
});
