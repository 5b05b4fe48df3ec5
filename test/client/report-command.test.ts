import { afterAll, beforeAll, expect, test } from 'vitest';
import type { UsageView } from '../../client/usage-report.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { parseSamples, sumOf } from '../support/prometheus-text.ts';
import { HttpStage } from '../support/http-stage.ts';

const INPUT = '{"message":"zanzibar"}';

let stage: HttpStage;
beforeAll(async () => {
  stage = await new HttpStage().openWithApi();
});
afterAll(() => stage?.close());

test('what runs used is reported as a table, CSV and JSON, the same by way of the API, and agrees with the ledgers', { timeout: 240_000 }, async () => {
  for (const id of ['one', 'two']) expect((await stage.cli(['run', 'hello', '--id', id, '--wait', '--tenant', 'acme', '--input', '-'], INPUT)).code).toBe(0);
  const shown = await Promise.all(['one', 'two'].map(async (id) => JSON.parse((await stage.cli(['runs', 'show', id, '--json'])).stdout)));
  const settled = shown.reduce((sum, { ledger }) => sum + Number(ledger.settledUsd), 0);

  const usage = JSON.parse((await stage.cli(['report', '--by', 'task', '--tenant', 'acme', '--json'])).stdout) as UsageView;
  expect(usage).toMatchObject({
    by: 'task',
    total: { runs: { count: 2, successRate: 1 }, attempts: { replies: 2, fallbacks: 0 } },
    groups: [{ key: 'hello' }],
  });
  expect(Number(usage.total.settledUsd)).toBeCloseTo(settled, 9);
  expect(usage.total.tokens.input).toBeGreaterThan(0);
  expect(usage.total.latency?.p50Ms).toBeGreaterThan(0);

  const table = (await stage.cli(['report', '--tenant', 'acme'])).stdout;
  expect(table).toMatch(/TASK +SETTLED.*FEEDBACK\nhello +.*100\.0%.*\n\(all\)/);
  const byModel = (await stage.cli(['report', '--by', 'model', '--tenant', 'acme'])).stdout;
  expect(byModel).toMatch(/MODEL +SETTLED.*\ngpt-5-mini .* - +100\.0% +- /);
  const csv = (await stage.cli(['report', '--by', 'promptVersion', '--tenant', 'acme', '--format', 'csv'])).stdout.trim().split('\n');
  expect(csv).toHaveLength(2);
  expect(csv[0]).toMatch(/^key,settledUsd,heldUsd,/);
  expect(csv[1]).toMatch(new RegExp(`^hello@[0-9a-f]{12},${usage.total.settledUsd},0.00,`));

  const key = await stage.key('boss', ['read']);
  const remote = JSON.parse((await stage.overHttp(key, ['report', '--tenant', 'acme', '--to', usage.to, '--from', usage.from, '--json'])).stdout) as UsageView;
  expect(remote).toEqual(usage);
  expect((await stage.cli(['report', '--by', 'vendor'])).code).toBe(2);
});

test('feedback is given at the command line and by way of the API', { timeout: 240_000 }, async () => {
  expect((await stage.cli(['run', 'hello', '--id', 'judged', '--wait', '--tenant', 'judged', '--input', '-'], INPUT)).code).toBe(0);
  const first = await stage.cli(['feedback', 'judged', '--score', '-1', '--comment', 'call me at ann@example.com', '--feedback-id', 'a']);
  expect([first.code, first.stdout]).toEqual([0, 'Kept (a).\n']);
  const key = await stage.key('web', ['read']);
  const port = await freePort();
  await stage.startApi({ TOLLGATE_API_METRICS_LISTEN: `127.0.0.1:${port}` });
  const second = await stage.overHttp(key, ['feedback', 'judged', '--score', '0.5', '--step', '1', '--label', 'fine', '--feedback-id', 'b', '--json']);
  expect(JSON.parse(second.stdout)).toEqual({ agentRunId: 'judged', feedbackId: 'b', changed: true });
  const samples = parseSamples(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
  expect(sumOf(samples, 'tollgate_feedback_total', { tollgate_feedback_label: 'fine', tollgate_tenant: 'judged' })).toBe(1);
  expect((await stage.cli(['feedback', 'judged', '--score', '3'])).code).toBe(2);
  const shown = (await stage.cli(['runs', 'show', 'judged'])).stdout;
  expect(shown).toMatch(/thought -1 · \S+ .*\nthought \+0\.5 · step 1 · fine · key:web/);
  expect(shown).not.toContain('ann@example.com');
  const report = JSON.parse((await stage.cli(['report', '--tenant', 'judged', '--json'])).stdout) as UsageView;
  expect(report.total.feedback).toEqual({ count: 2, meanScore: -0.25 });
});
