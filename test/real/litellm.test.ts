import { CLOSED } from '../../domain/model/breaker.ts';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttemptMoneyStatus } from '../../contracts/budget.ts';
import type { OutcomeClass } from '../../contracts/model.ts';
import type { Fault } from '../../adapters/providers/simulated/scenario.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import { findLiteLlm, type LiteLlmProxy, startLiteLlm } from '../support/litellm.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { parseSamples, type Sample, sumOf } from '../support/prometheus-text.ts';
import { Stage } from '../support/stage.ts';
import { waitFor } from '../support/wait-for.ts';

const found = await findLiteLlm();
if ('missing' in found) process.stdout.write(`skipped: a LiteLLM proxy before the simulated provider, because ${found.missing}\n`);
const isMissing = 'missing' in found;

/** What goes wrong at the provider, what the run must make of it through the gateway, and what becomes of its money. */
const FAULTS: readonly (readonly [Fault, readonly OutcomeClass[], AttemptMoneyStatus])[] = [
  [{ type: 'rateLimit', retryAfterMs: 50 }, ['rateLimited'], 'settled'],
  [{ type: 'quota' }, ['quotaExhausted'], 'settled'],
  [{ type: 'contextLength' }, ['contextLengthExceeded'], 'settled'],
  [{ type: 'auth' }, ['authentication'], 'settled'],
  [{ type: 'modelNotFound' }, ['modelNotFound'], 'settled'],
  [{ type: 'contentFilter', asError: true }, ['contentFiltered'], 'settled'],
  [{ type: 'serverError' }, ['serverError'], 'held'],
  [{ type: 'overloaded' }, ['overloaded'], 'held'],
  // Whether the gateway had begun to stream decides how much of what happened it can still say.
  [{ type: 'cutAfterWork' }, ['serverError', 'connectionLost'], 'held'],
  [{ type: 'malformed' }, ['serverError', 'connectionLost', 'invalidResponse'], 'held'],
  [{ type: 'hang', billed: true }, ['timeout'], 'held'],
  [{ type: 'emptyChoices' }, ['invalidResponse'], 'settled'],
  [{ type: 'truncated' }, ['outputTruncated'], 'settled'],
];
/** How a reply is asked for. */
const WAYS = [
  ['chat', 'chat', false],
  ['chat-stream', 'chat', true],
  ['responses', 'responses', false],
  ['responses-stream', 'responses', true],
] as const;
const nameOf = ({ type }: Fault): string => type.toUpperCase();
const scenarios = [
  { id: 'fine', match: { system: 'FINE' }, turns: [{ text: 'A good answer, of some length, through the gateway.' }] },
  ...FAULTS.map(([fault]) => ({
    id: `fault-${fault.type}`,
    match: { system: `FAULT ${nameOf(fault)}` },
    turns: [{ text: 'from the second model', byModel: { 'gpt-5-mini': { faults: [fault] } } }],
  })),
];

const folder = mkdtempSync(join(tmpdir(), 'tollgate-litellm-'));
const configPath = join(folder, 'tollgate.config.ts');
const stage = new Stage({ TOLLGATE_CONFIG: configPath, OPENAI_API_KEY: 'unused', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1', TOLLGATE_SIMULATED_URL: '' });
let proxy: LiteLlmProxy;
let collector: Server;
let metricsPort: number;
const exported: string[] = [];

beforeAll(async () => {
  if ('missing' in found) return;
  await stage.open({ scenarios, workers: 0 });
  const upstream = (model: string, more: object = {}) => ({ model: `openai/${model}`, api_base: stage.providerUrl, api_key: 'simulated', timeout: 2, ...more });
  proxy = await startLiteLlm(
    found,
    {
      model_list: [
        ...['gpt-5-mini', 'gpt-5-nano', 'gpt-4.1-mini'].map((model) => ({ model_name: model, litellm_params: upstream(model) })),
        // Its price is not the one that the provider charges.
        { model_name: 'dearer', litellm_params: upstream('gpt-5-mini', { input_cost_per_token: 1e-6, output_cost_per_token: 4e-6 }) },
        { model_name: 'falls-back', litellm_params: upstream('gpt-5-mini') },
        { model_name: 'on-a-budget', litellm_params: upstream('gpt-5-mini', { max_budget: 1e-9, budget_duration: '1d' }) },
      ],
      // One place retries, and it is not the gateway.
      litellm_settings: { num_retries: 0, telemetry: false },
      router_settings: { num_retries: 0, disable_cooldowns: true, fallbacks: [{ 'falls-back': ['gpt-5-nano'] }] },
      // Our attempt's id reaches the provider's bill.
      general_settings: { master_key: 'os.environ/LITELLM_MASTER_KEY', forward_client_headers_to_llm_api: true },
    },
    folder,
  );
  writeFileSync(configPath, `export default ${JSON.stringify(configuration(proxy.url))};\n`);
  collector = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      exported.push(Buffer.concat(parts).toString('latin1'));
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    });
  }).listen(0, '127.0.0.1');
  metricsPort = await freePort();
  await stage.startWorker({
    GATEWAY_KEY: proxy.key,
    TOLLGATE_METRICS_LISTEN: String(metricsPort),
    TOLLGATE_OTLP_METRICS_URL: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/metrics`,
  });
});
afterAll(async () => {
  if (isMissing) return;
  await proxy?.close();
  await stage.close();
  collector?.close();
  rmSync(folder, { recursive: true, force: true });
});

function configuration(baseUrl: string) {
  const models = ['gpt-5-mini', 'gpt-5-nano', 'gpt-4.1-mini', 'falls-back', 'on-a-budget', 'dearer'];
  const price = { inputUsdPerMillion: 0.25, cachedInputUsdPerMillion: 0.025, outputUsdPerMillion: 2 };
  return {
    tasks: [],
    models: models.flatMap((model) =>
      WAYS.map(([way, api, stream]) => ({
        model: `${model}-${way}`,
        wireModel: model,
        endpoint: 'gateway',
        api,
        stream,
        ...(model.startsWith('gpt') ? {} : { price }),
      })),
    ),
    endpoints: { gateway: { baseUrl, provider: 'litellm', apiKeyVariable: 'GATEWAY_KEY' } },
  };
}

interface Played {
  readonly status: string;
  readonly attempts: readonly AttemptRecord[];
  readonly bill: number;
  readonly settled: number;
  readonly held: number;
}

async function play(id: string, prompt: string, models: readonly string[], limits: Record<string, number> = {}): Promise<Played> {
  // Many failures in a row open the models' breakers; here each run meets its own.
  for (const { endpoint, model } of await stage.store.listBreakers()) await stage.store.changeBreaker({ endpoint, model }, () => CLOSED);
  const handle = await stage.start(
    { prompt, models: models.map((model) => ({ model })), limits: { maxAttemptsPerStep: 3, modelTimeoutMs: 10_000, ...limits } as never },
    { id },
  );
  const status = await handle.result().then(
    (result) => (result as { status: string }).status,
    () => 'failed',
  );
  const { runKey } = await stage.run(id);
  const ledger = await stage.store.getLedger(runKey);
  expect(await stage.ledgerProblems(id)).toEqual([]);
  return {
    status,
    attempts: await stage.store.listAttempts(runKey),
    bill: await stage.bill(id),
    settled: ledger?.settledNanoUsd ?? -1,
    held: ledger?.heldNanoUsd ?? -1,
  };
}

describe.skipIf(isMissing).each(WAYS.map(([way]) => way))('through LiteLLM, %s', (way) => {
  test('what the ledger says is what the provider bills', async () => {
    const { status, bill, settled, held } = await play(`fine-${way}`, 'FINE', [`gpt-5-mini-${way}`]);
    expect(status).toBe('completed');
    expect(bill).toBeGreaterThan(0);
    expect({ settled, held }).toEqual({ settled: bill, held: 0 });
  });

  test.each(FAULTS.map(([fault, classes, money]) => [fault.type, fault, classes, money] as const))(
    'after %s the next model answers, and the ledger covers the bill',
    async (_, fault, classes, money) => {
      const played = await play(`${fault.type}-${way}`, `FAULT ${nameOf(fault)}`, [`gpt-5-mini-${way}`, `gpt-5-nano-${way}`]);
      const [first] = played.attempts;
      expect(classes).toContain(first?.outcome?.type === 'failed' ? first.outcome.verdict.class : first?.outcome);
      expect(first?.money.status).toBe(money);
      expect(played.status).toBe('completed');
      // Whatever is not held is billed exactly.
      const held = new Set(played.attempts.filter((attempt) => attempt.money.status === 'held').map((attempt) => String(attempt.attemptId)));
      const billed = stage
        .billLines()
        .filter((line) => played.attempts.some(({ attemptId }) => String(attemptId) === line.clientRequestId) && !held.has(String(line.clientRequestId)));
      expect(billed.reduce((sum, line) => sum + line.nanoUsd, 0)).toBe(played.settled);
    },
  );

  test("the gateway's own budget ends the run's call, and nothing is spent elsewhere", async () => {
    await play(`budget-first-${way}`, 'FINE', [`on-a-budget-${way}`]);
    const { attempts, bill } = await play(`budget-${way}`, 'FINE', [`on-a-budget-${way}`, `gpt-5-nano-${way}`]);
    expect(attempts.map(({ outcome }) => outcome)).toEqual([
      expect.objectContaining({ type: 'failed', verdict: expect.objectContaining({ class: 'budgetDenied' }) }),
    ]);
    expect(bill).toBe(0);
  });

  test('a reply that the gateway got elsewhere by itself is used, and its money stays held, because its price is not the one we pinned', async () => {
    const { status, attempts, bill, settled } = await play(`own-fallback-${way}`, 'FAULT SERVERERROR', [`falls-back-${way}`]);
    expect(status).toBe('completed');
    expect(bill).toBeGreaterThan(0);
    expect(settled).toBe(0);
    expect(attempts.map(({ money }) => money.status)).toEqual(['held']);
  });
});

test.skipIf(isMissing)('what LiteLLM says that calls cost is counted, and where it differs from the bill, by how much', async () => {
  const read = async () => parseSamples(await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text());
  const before = await read();
  const fine = await play('metered-fine', 'FINE', ['gpt-5-mini-chat']);
  const dearer = await play('metered-dearer', 'FINE', ['dearer-chat']);
  for (const { bill, settled } of [fine, dearer]) expect(settled).toBe(bill);
  const reported = dearer.attempts[0]?.usage?.reportedNanoUsd ?? 0;
  expect(reported).toBeGreaterThan(dearer.bill);
  const compared = (samples: readonly Sample[], model: string) =>
    sumOf(samples, 'tollgate_gateway_cost_compared_total', { gen_ai_request_model: model, tollgate_endpoint: 'gateway' });
  const samples = await waitFor('both calls to be compared', async () => {
    const now = await read();
    return compared(now, 'dearer-chat') === 1 && compared(now, 'gpt-5-mini-chat') > compared(before, 'gpt-5-mini-chat') ? now : null;
  });
  const labels = { gen_ai_request_model: 'dearer-chat', tollgate_gateway_cost_direction: 'more', tollgate_task: 'test', tollgate_tenant: 'acme' };
  expect(sumOf(samples, 'tollgate_gateway_cost_differences_total', labels)).toBe(1);
  expect(Math.round(sumOf(samples, 'tollgate_gateway_cost_difference_usd_total', labels) * 1e9)).toBe(reported - dearer.bill);
  expect(sumOf(samples, 'tollgate_gateway_cost_differences_total')).toBe(1);
  for (const name of ['compared', 'differences', 'difference.usd'])
    await waitFor(
      `tollgate.gateway.cost.${name} at the collector`,
      async () => exported.some((body) => body.includes(`tollgate.gateway.cost.${name}`)),
      40_000,
    );
});

describe.skipIf(isMissing)("LiteLLM's own cost of a call", () => {
  interface Answer {
    readonly cost: string | null;
    readonly fallbacks: string | null;
    readonly text: string;
    readonly nanoUsd: number;
  }
  async function ask(id: string, path: string, body: object): Promise<Answer> {
    const response = await fetch(`${proxy.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${proxy.key}`, 'content-type': 'application/json', 'x-client-request-id': id },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    const lines = stage.billLines().filter((line) => line.clientRequestId === id);
    return {
      cost: response.headers.get('x-litellm-response-cost'),
      fallbacks: response.headers.get('x-litellm-attempted-fallbacks'),
      text,
      nanoUsd: lines.reduce((sum, line) => sum + line.nanoUsd, 0),
    };
  }
  const nano = (cost: string | null): number => Math.ceil(Number((Number(cost) * 1e9).toPrecision(12)));
  const chat = (model: string, prompt: string, more: object = {}) => ({
    model,
    max_tokens: 256,
    messages: [
      { role: 'system', content: prompt },
      { role: 'user', content: 'hi' },
    ],
    ...more,
  });

  test.each(['gpt-5-mini', 'gpt-5-nano', 'gpt-4.1-mini'])('of %s is the bill, for chat and responses', async (model) => {
    const answers = [
      await ask(`header-chat-${model}`, '/chat/completions', chat(model, 'FINE')),
      await ask(`header-responses-${model}`, '/responses', { model, max_output_tokens: 256, instructions: 'FINE', input: 'hi' }),
    ];
    for (const { cost, nanoUsd } of answers) {
      expect(nanoUsd).toBeGreaterThan(0);
      expect(nano(cost)).toBe(nanoUsd);
    }
  });

  test('is not sent with a stream', async () => {
    const { cost, nanoUsd, text } = await ask(
      'header-stream',
      '/chat/completions',
      chat('gpt-5-mini', 'FINE', { stream: true, stream_options: { include_usage: true } }),
    );
    expect(text).toContain('"usage"');
    expect(nanoUsd).toBeGreaterThan(0);
    expect(cost).toBeNull();
  });

  test('is sent as nothing with an error that cost nothing', async () => {
    const { cost, nanoUsd } = await ask('header-error', '/chat/completions', chat('gpt-5-mini', 'FAULT RATELIMIT'));
    expect(nanoUsd).toBe(0);
    expect(Number(cost)).toBe(0);
  });

  test('counts its own fallbacks, which is how we know of them', async () => {
    const { fallbacks } = await ask('header-fallback', '/chat/completions', chat('falls-back', 'FAULT SERVERERROR'));
    expect(fallbacks).toBe('1');
  });
});
