import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { ROWS } from '../../scripts/monitoring/dashboard.ts';
import { ALERT_RULES, RECORDING_RULES } from '../../scripts/monitoring/rules.ts';
import { ROOT } from '../support/compose.ts';
import { Destination } from '../support/destination.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0 && spawnSync('promtool', ['--version']).status === 0;
if (!hasPrometheus) console.log('Skipped: Prometheus (prometheus, promtool) is not installed.');

const failsOnce = [{ type: 'serverError' as const }];
const usage = { cachedTokens: 5 };
const scenarios: ScenarioInput[] = [
  {
    id: 'pay',
    match: { system: 'PAY' },
    turns: [{ toolCalls: [{ name: 'look', arguments: {} }], usage }, { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] }, { text: 'paid' }],
  },
  {
    id: 'fallback',
    match: { system: 'FALLBACK' },
    turns: [{ text: 'write to ann@example.com', usage, byModel: { 'gpt-5-mini': { text: 'never', faults: failsOnce } } }],
  },
];

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[] };
}

describe.skipIf(!hasPrometheus)('with a real Prometheus', () => {
  let folder: string;
  let destination: Destination;
  let stage: Stage;
  let prometheus: ChildProcess | null = null;
  let url: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tollgate-prometheus-'));
    destination = new Destination();
    await destination.open();
    const [worker, temporal, port] = [await freePort(), await freePort(), await freePort()];
    stage = await new Stage({ TOLLGATE_METRICS_LISTEN: String(worker), TOLLGATE_TEMPORAL_METRICS_LISTEN: String(temporal) }).open({ scenarios });
    await stage.store.setQuota({ tenant: 'acme', feature: null, per: 'day', unit: 'nanoUsd', limit: 1e9 }, 'command');
    url = `http://127.0.0.1:${port}`;
    prometheus = startPrometheus(folder, port, { 'tollgate-worker': worker, 'temporal-sdk': temporal });
    await waitFor('Prometheus', async () => (await fetch(`${url}/-/ready`).catch(() => null))?.ok);
  });
  afterAll(async () => {
    prometheus?.kill('SIGKILL');
    await stage?.close();
    destination?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function ask(query: string): Promise<Answer['data']['result']> {
    const answer = (await (await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`)).json()) as Answer;
    expect(answer.error, query).toBeUndefined();
    return answer.data.result;
  }

  async function runAll(round: string): Promise<void> {
    const tools = httpTools(destination.url, { look: 'read', pay: 'irreversible' }) as never;
    const paying = await stage.start({ prompt: 'PAY', tools }, { id: `pay-${round}` });
    const streaming = [{ model: 'gpt-5-mini' }, { model: 'gpt-5-nano' }];
    const falling = await stage.start({ prompt: 'FALLBACK', models: streaming, maxOutputTokens: 16_000, budgetLimitNanoUsd: 9e9 } as never, {
      id: `fallback-${round}`,
    });
    await stage.approve(paying);
    await Promise.all([paying.result(), falling.result()]);
  }

  test('every query of the dashboard and of the rules has data after real runs', async () => {
    await runAll('one');
    // A rate needs a counter to grow between two looks at it.
    await waitFor('the first runs to be scraped', async () => (await ask('tollgate_runs_ended_total')).length > 0);
    await runAll('two');
    const grown = 'sum(increase(tollgate_runs_ended_total[5m])) > 0 and sum(increase(tollgate_fallbacks_total[5m])) > 0';
    await waitFor('the second runs to be scraped', async () => (await ask(grown)).length > 0);
    await waitFor('the rules to be evaluated', async () => {
      const answers = await Promise.all(RECORDING_RULES.map(({ record }) => ask(record)));
      return answers.every((result) => result.length > 0 && result.some(({ value }) => value[1] !== 'NaN'));
    }).catch(() => undefined);

    const queries = [
      ...ROWS.flatMap(({ panels }) => panels.flatMap(({ queries: shown }) => shown.map(({ expr }) => expr))),
      ...RECORDING_RULES.map(({ record }) => record),
    ];
    const empty: string[] = [];
    for (const query of queries) {
      const result = await ask(query);
      if (result.length === 0 || result.every(({ value }) => value[1] === 'NaN')) empty.push(query);
    }
    expect(empty).toEqual([]);
    expect(await ask('up == 1')).toHaveLength(2);
    const settledUsd = Number((await ask('sum(tollgate_cost_settled_usd_total)'))[0]?.value[1]);
    expect(Math.round(settledUsd * 1e9)).toBe(await stage.bill());
  });

  test('the rules are loaded as they are, and no alert fires at what is well', async () => {
    const rules = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    };
    const loaded = rules.data.groups.flatMap((group) => group.rules);
    expect(loaded.map(({ name }) => name)).toEqual([...RECORDING_RULES.map(({ record }) => record), ...ALERT_RULES.map(({ alert }) => alert)]);
    await waitFor('every rule to be evaluated', async () => loaded.every(({ health }) => health !== 'err'));
    expect(await ask('ALERTS{alertstate="firing"}')).toEqual([]);
  });

  test('promtool finds nothing wrong with the rules, and each alert fires when it should', () => {
    for (const args of [
      ['check', 'rules', 'deploy/prometheus/rules.yaml'],
      ['check', 'config', 'deploy/prometheus/prometheus.yaml'],
      ['test', 'rules', 'deploy/prometheus/rules.test.yaml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: ROOT, encoding: 'utf8' });
      expect(status, `${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
    }
    const tested = readFileSync(join(ROOT, 'deploy/prometheus/rules.test.yaml'), 'utf8');
    expect(ALERT_RULES.map(({ alert }) => alert).filter((alert) => !tested.includes(`alertname: ${alert}\n`))).toEqual([]);
  });

  test('what the endpoint answers is well formed, as promtool judges', async () => {
    const text = await (await fetch((await ask('up{job="tollgate-worker"}')).map(({ metric }) => `http://${metric.instance}/metrics`)[0] ?? '')).text();
    const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    // Exit code 3 is matters of taste in names, which are those of the conventions.
    expect([0, 3], stderr).toContain(status);
  });
});

function startPrometheus(folder: string, port: number, targets: Readonly<Record<string, number>>): ChildProcess {
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(ROOT, 'deploy/prometheus/rules.yaml')],
    scrape_configs: Object.entries(targets).map(([name, at]) => ({ job_name: name, static_configs: [{ targets: [`127.0.0.1:${at}`] }] })),
  };
  writeFileSync(join(folder, 'prometheus.json'), JSON.stringify(config));
  const args = [`--config.file=${join(folder, 'prometheus.json')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`];
  return spawn('prometheus', args, { stdio: 'ignore' });
}
