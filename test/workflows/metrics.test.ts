import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { Destination } from '../support/destination.ts';
import { parseSamples, type Sample, sumOf } from '../support/prometheus-text.ts';
import { Stage } from '../support/stage.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const scenarios: ScenarioInput[] = [
  {
    id: 'pay',
    match: { system: 'PAY' },
    turns: [{ toolCalls: [{ name: 'look', arguments: {} }] }, { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] }, { text: 'paid' }],
  },
  { id: 'hello', match: { system: 'HELLO' }, turns: [{ text: 'hello' }] },
];

let destination: Destination;
let stage: Stage;
let collector: Server;
const pushed: number[] = [];
const ports = { metrics: 0, temporal: 0 };
beforeAll(async () => {
  destination = new Destination();
  await destination.open();
  collector = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      if (request.url === '/v1/metrics' && request.headers['content-type'] === 'application/x-protobuf') pushed.push(bytes);
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  }).listen(0, '127.0.0.1');
  ports.metrics = await freePort();
  ports.temporal = await freePort();
  stage = await new Stage({
    TOLLGATE_LOG_LEVEL: 'info',
    TOLLGATE_METRICS_LISTEN: String(ports.metrics),
    TOLLGATE_TEMPORAL_METRICS_LISTEN: `127.0.0.1:${ports.temporal}`,
    TOLLGATE_OTLP_METRICS_URL: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/metrics`,
  }).open({ scenarios });
});
afterAll(async () => {
  await stage?.close();
  destination?.close();
  collector?.close();
});

async function scrape(port: number): Promise<Sample[]> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.status).toBe(200);
  return parseSamples(await response.text());
}

test('what a worker counted agrees with the ledger and the bill, and the SDK tells of its queues', async () => {
  const tools = httpTools(destination.url, { look: 'read', pay: 'irreversible' }) as never;
  const paying = await stage.start({ prompt: 'PAY', tools }, { id: 'pay' });
  await stage.approve(paying);
  const others = await Promise.all(['one', 'two'].map((id) => stage.start({ prompt: 'HELLO' }, { id })));
  await Promise.all([paying, ...others].map((handle) => handle.result()));

  const report = (await stage.store.reportUsage({ by: 'total', fromMs: 0, toMs: Date.now() + 60_000, limit: 1 })).groups[0];
  if (!report) throw new Error('there is a report');
  const samples = await waitFor('the end of every run to be counted', async () => {
    const now = await scrape(ports.metrics);
    return sumOf(now, 'tollgate_runs_ended_total', { tollgate_run_status: 'completed' }) === 3 ? now : null;
  });
  const settledNanoUsd = Math.round(sumOf(samples, 'tollgate_cost_settled_usd_total') * 1e9);
  expect(settledNanoUsd).toBe(await stage.bill());
  expect(BigInt(settledNanoUsd)).toBe(report.attempts.money.settledNanoUsd);
  const tokens = (kind: string) => sumOf(samples, 'tollgate_tokens_total', { tollgate_token_kind: kind });
  const { inputTokens, cachedInputTokens, outputTokens } = report.attempts.tokens;
  expect([tokens('input'), tokens('cachedInput'), tokens('output')]).toEqual([inputTokens, cachedInputTokens, outputTokens]);
  expect(sumOf(samples, 'gen_ai_client_token_usage_sum', { gen_ai_token_type: 'output', gen_ai_operation_name: 'chat' })).toBe(outputTokens);
  expect(sumOf(samples, 'gen_ai_client_operation_duration_count')).toBe(report.attempts.replies);
  expect(sumOf(samples, 'tollgate_attempts_total', { tollgate_attempt_outcome: 'ok' })).toBe(5);
  expect(sumOf(samples, 'tollgate_gates_ended_total', { tollgate_gate_status: 'approved' })).toBe(1);
  expect(sumOf(samples, 'tollgate_tool_calls_total', { tollgate_tool_status: 'done' })).toBe(2);
  expect(sumOf(samples, 'tollgate_runs_started_total', { tollgate_tenant: 'acme', tollgate_feature: 'support', tollgate_task: 'test' })).toBe(3);
  expect(sumOf(samples, 'tollgate_store_up')).toBe(1);

  const sdk = await scrape(ports.temporal);
  expect(sumOf(sdk, 'temporal_workflow_completed_total')).toBe(3);
  expect(sdk.filter(({ name }) => /^temporal_(worker_task_slots_available|num_pollers)$/.test(name)).length).toBeGreaterThan(1);
  await waitFor('metrics to be pushed to the collector', async () => pushed.some((bytes) => bytes > 1_000));
});

test('tokens, cost, durations and time to first chunk are known by task, feature, tenant and model', async () => {
  // Asked for so much, a model streams.
  const handle = await stage.start({ prompt: 'HELLO', maxOutputTokens: 16_000, budgetLimitNanoUsd: 9e9 } as never, { id: 'streamed' });
  await handle.result();
  const firstChunk = 'gen_ai_client_operation_time_to_first_chunk_count';
  const samples = await waitFor('the first chunk to be counted', async () => {
    const now = await scrape(ports.metrics);
    return sumOf(now, firstChunk) > 0 ? now : null;
  });
  const counted = ['tollgate_tokens_total', 'tollgate_cost_settled_usd_total', 'gen_ai_client_token_usage_count', 'gen_ai_client_operation_duration_count'];
  for (const name of [...counted, firstChunk]) {
    const found = samples.filter((sample) => sample.name === name);
    expect(found.length, name).toBeGreaterThan(0);
    const labels = { tollgate_task: 'test', tollgate_feature: 'support', tollgate_tenant: 'acme', gen_ai_request_model: expect.stringMatching(/./) };
    for (const sample of found) expect(sample.labels, name).toMatchObject(labels);
  }
});

test('the log has a line for each attempt, tool call, gate and end, by the ids of the run, and nothing that was said', async () => {
  const lines = readFileSync(join(stage.folder, 'worker-0.log'), 'utf8').trim().split('\n');
  const logged = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const { runKey } = await stage.run('pay');
  const about = logged.filter(({ agentRunId }) => agentRunId === 'pay');
  expect(about.filter(({ msg }) => msg === 'attempt')).toMatchObject(
    [1, 2, 3].map((step) => ({ ...runKey, step, attemptId: expect.any(String), outcome: 'ok', money: 'settled' })),
  );
  expect(about.map(({ msg }) => msg)).toEqual(expect.arrayContaining(['run started', 'tool call', 'gate', 'decision', 'run ended']));
  expect(lines.join('\n')).not.toMatch(/Please help|paid/);
});

test('the queries for saved views that the page names are those that Temporal takes', async () => {
  const page =
    readFileSync(fileURLToPath(new URL('../../docs/operating.md', import.meta.url)), 'utf8')
      .split('### Saved views')[1]
      ?.split('\n### ')[0] ?? '';
  const queries = [...page.matchAll(/^\|[^|`]+\| `([^`]+)` \|$/gm)].map(([, query]) => query ?? '');
  expect(queries.length).toBeGreaterThan(6);
  for (const query of queries) expect((await stage.client.workflow.count(query)).count, query).toBeGreaterThanOrEqual(0);
});

test('a worker works where its metrics can not be served, and the endpoint answers nothing but metrics', async () => {
  // The address is taken by the first worker.
  const second = await stage.startWorker();
  expect((await fetch(`http://127.0.0.1:${ports.metrics}/`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${ports.metrics}/metrics`, { method: 'POST' })).status).toBe(404);
  await stage.kill(stage.workers[0] as typeof second);
  const handle = await stage.start({ prompt: 'HELLO' }, { id: 'without' });
  expect(await handle.result()).toMatchObject({ status: 'completed' });
  await stage.startWorker();
  // Counters begin anew with a process, gauges are the store's.
  const samples = await scrape(ports.metrics);
  expect(sumOf(samples, 'tollgate_runs_ended_total')).toBe(0);
  expect(sumOf(samples, 'tollgate_store_up')).toBe(1);
});
