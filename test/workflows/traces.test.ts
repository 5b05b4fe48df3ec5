import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { logsOfRun } from '../../client/cli/run-logs.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { GEN_AI, TOLLGATE } from '../../telemetry/names.ts';
import { spanIdOf, traceOf } from '../../telemetry/trace-ids.ts';
import { type CapturedSpan, OtlpCapture, sumOf, traceProblems } from '../support/otlp-capture.ts';
import { Stage } from '../support/stage.ts';
import { newFeedback } from '../support/store-contract/feedback-contract.ts';
import { httpTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const call = (name: string, args: Record<string, string | number> = {}) => ({ name, arguments: args });
const scenarios = [
  {
    id: 'refund',
    match: { system: 'REFUND' },
    turns: [
      { toolCalls: [call('look', { id: 1 }), call('look', { id: 2 })], byModel: { 'gpt-5-mini': { faults: [{ type: 'serverError' as const, attempt: 1 }] } } },
      { toolCalls: [call('pay', { id: 1 })] },
      { text: 'paid' },
    ],
  },
  {
    id: 'slow',
    match: { system: 'SLOW' },
    turns: [{ toolCalls: [call('look', { id: 1 })] }, { text: 'at last', faults: [{ type: 'slow' as const, delayMs: 3_000, attempt: 1 }] }],
  },
  { id: 'plain', match: { system: 'PLAIN' }, turns: [{ text: 'The secret word is plum.' }] },
];
const capture = new OtlpCapture();
/** A second sink, which is down. */
const dead = new OtlpCapture();
const toolHeaders: { tool: string; traceparent: string }[] = [];
let tool: Server;
let toolUrl = '';
let stage: Stage;

beforeAll(async () => {
  await capture.open();
  await dead.open();
  dead.answer = () => ({ status: 503 });
  tool = createServer((request, response) => {
    toolHeaders.push({ tool: (request.url ?? '').split('/')[1] ?? '', traceparent: String(request.headers.traceparent) });
    request.resume().on('end', () => response.end('{"ok":true}'));
  });
  await new Promise<void>((resolve) => tool.listen(0, '127.0.0.1', resolve));
  const address = tool.address();
  toolUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  stage = new Stage({
    OTEL_EXPORTER_OTLP_ENDPOINT: capture.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=s%3Dt',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    TOLLGATE_TRACE_SINKS: 'phoenix',
    PHOENIX_COLLECTOR_ENDPOINT: dead.url,
    TOLLGATE_LOG_LEVEL: 'info',
  });
  await stage.open({ scenarios });
});
beforeEach(() => {
  capture.requests.length = 0;
  toolHeaders.length = 0;
});
afterAll(async () => {
  await stage.close();
  capture.close();
  dead.close();
  tool.close();
});

const tools = () => httpTools(toolUrl, { look: 'read', pay: 'irreversible' }) as never;
const named = (spans: readonly CapturedSpan[], name: string) => spans.filter((span) => span.name === name);

/** The spans of a run, once the root has arrived. */
async function traceOfRun(agentRunId: string): Promise<CapturedSpan[]> {
  const run = await stage.run(agentRunId);
  const { traceId } = traceOf(run);
  await waitFor(`the root of ${agentRunId}`, async () => capture.spans.some(({ spanId }) => spanId === spanIdOf(run.runKey, { type: 'run' })) || null);
  return capture.spans.filter((span) => span.traceId === traceId);
}

async function expectSumsOfLedger(agentRunId: string, spans: readonly CapturedSpan[]): Promise<void> {
  const { runKey } = await stage.run(agentRunId);
  const ledger = await stage.store.getLedger(runKey);
  const attempts = await stage.store.listAttempts(runKey);
  const calls = spans.filter(({ attributes }) => attributes[TOLLGATE.attemptId] !== undefined);
  expect(sumOf(calls, TOLLGATE.costSettledNanoUsd)).toBe(ledger?.settledNanoUsd);
  expect(Math.round(sumOf(calls, GEN_AI.cost) * 1e9)).toBe(ledger?.settledNanoUsd);
  expect(sumOf(calls, GEN_AI.inputTokens)).toBe(attempts.reduce((sum, { usage }) => sum + (usage?.inputTokens ?? 0), 0));
  expect(sumOf(calls, GEN_AI.outputTokens)).toBe(attempts.reduce((sum, { usage }) => sum + (usage?.outputTokens ?? 0), 0));
  expect(spans.filter(({ name }) => name.startsWith('chat '))).toHaveLength(attempts.length);
  expect(await stage.ledgerProblems(agentRunId)).toEqual([]);
}

test('a run with a retry, tools and a gate is one whole trace whose sums are the ledger and the bill', async () => {
  const handle = await stage.start({ prompt: 'REFUND', tools: tools() }, { id: 'refund' });
  await stage.approve(handle);
  expect(((await handle.result()) as AgentRunResult).status).toBe('completed');
  const spans = await traceOfRun('refund');
  expect(traceProblems(spans)).toEqual([]);
  expect(spans.map(({ name }) => name).toSorted()).toEqual(
    [
      'chat gpt-5-mini',
      'chat gpt-5-mini',
      'chat gpt-5-mini',
      'chat gpt-5-mini',
      'execute_tool look',
      'execute_tool look',
      'execute_tool pay',
      'gate pay',
      'invoke_agent test',
      'step 1',
      'step 2',
      'step 3',
    ].toSorted(),
  );
  await expectSumsOfLedger('refund', spans);
  // The failed try may have been billed: its money is held, and no cost is claimed for it.
  const [failed] = spans.filter(({ status, name }) => status === 2 && name.startsWith('chat'));
  expect(failed?.attributes).toMatchObject({ [TOLLGATE.costStatus]: 'held', [TOLLGATE.tryKind]: 'first', [GEN_AI.errorType]: 'serverError' });
  expect(failed?.attributes).not.toHaveProperty([GEN_AI.cost]);
  expect(Number(failed?.attributes[TOLLGATE.costHeldNanoUsd])).toBeGreaterThan(0);
  expect(spans.find(({ attributes }) => attributes[TOLLGATE.ordinal] === 2)?.attributes[TOLLGATE.tryKind]).toBe('retry');
  const [gate] = named(spans, 'gate pay');
  expect(gate?.attributes).toMatchObject({ [TOLLGATE.gateStatus]: 'consumed', [TOLLGATE.gateApprovals]: 1, [TOLLGATE.gateRole]: 'lead' });
  expect(gate?.parentSpanId).toBe(named(spans, 'step 2')[0]?.spanId);
  expect(spans[0]?.resource).toMatchObject({ 'service.name': 'tollgate', 'deployment.environment.name': 'test' });
  // What a tool's server is told hangs its spans below ours.
  const ofTools = spans.filter(({ name }) => name.startsWith('execute_tool')).map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`);
  expect(toolHeaders.map(({ traceparent }) => traceparent).toSorted()).toEqual(ofTools.toSorted());
});

test('requests are protobuf under exactly that content type, with the headers of that collector alone', async () => {
  await (await stage.start({ prompt: 'PLAIN' }, { id: 'wire' })).result();
  await traceOfRun('wire');
  for (const { path, method, headers } of capture.requests) {
    expect([method, path, headers['content-type'], headers['x-collector-key']]).toEqual(['POST', '/v1/traces', 'application/x-protobuf', 's=t']);
    expect(headers).not.toHaveProperty('x-project-name');
  }
});

test('nothing that was said is on a span unless it is asked for', async () => {
  await (await stage.start({ prompt: 'PLAIN' }, { id: 'silent', message: 'my word is plum' })).result();
  await traceOfRun('silent');
  expect(capture.requests.some(({ body }) => body.includes('plum') || body.includes('PLAIN'))).toBe(false);
});

test('a worker killed in the middle of a call: the trace is whole, no span has another id, and the sums are the ledger', async () => {
  const handle = await stage.start({ prompt: 'SLOW', tools: tools() }, { id: 'killed' });
  const { runKey } = await waitFor('the second call', async () => {
    const run = await stage.store.latestRun('killed' as never);
    const open = run && (await stage.store.listAttempts(run.runKey)).find(({ step, outcome }) => step === 2 && outcome === null);
    return open ? run : null;
  });
  const [worker] = stage.workers.slice(-1);
  if (!worker) throw new Error('there is a worker');
  await stage.kill(worker);
  await stage.startWorker();
  expect(((await handle.result()) as AgentRunResult).status).toBe('completed');
  const spans = await traceOfRun('killed');
  expect(traceProblems(spans)).toEqual([]);
  await expectSumsOfLedger('killed', spans);
  const lost = (await stage.store.listAttempts(runKey)).find(({ outcome }) => outcome?.type === 'failed');
  expect(lost).toBeDefined();
  const ofLost = spans.filter(({ attributes }) => attributes[TOLLGATE.attemptId] === lost?.attemptId);
  expect(ofLost).toHaveLength(1);
  expect(ofLost[0]?.attributes).toMatchObject({ [TOLLGATE.costStatus]: 'held', [TOLLGATE.outcome]: 'connectionLost' });
});

test("a caller's trace has the run in it, below the caller's span", async () => {
  const traceId = 'ab'.repeat(16);
  const spanId = 'cd'.repeat(8);
  const handle = await stage.start({ prompt: 'PLAIN' }, { id: 'called', traceparent: `00-${traceId}-${spanId}-01` });
  await handle.result();
  const spans = await traceOfRun('called');
  expect(traceProblems(spans, spanId)).toEqual([]);
  expect(spans.every((span) => span.traceId === traceId)).toBe(true);
  expect(spans).toHaveLength(3);
});

test("every line that a worker logs about a run has the run's trace id, whichever worker it is; runs show --logs shows them", async () => {
  const logs = readdirSync(stage.folder).filter((name) => name.startsWith('worker-'));
  mkdirSync(join(stage.folder, 'logs'));
  for (const name of logs) copyFileSync(join(stage.folder, name), join(stage.folder, 'logs', name));
  for (const id of ['refund', 'killed', 'called']) {
    const run = await stage.run(id);
    const { traceId } = traceOf(run);
    const lines = logsOfRun(stage.folder, id);
    expect([id, lines.filter((line) => line.traceId !== traceId)]).toEqual([id, []]);
    const attempts = await stage.store.listAttempts(run.runKey);
    const said = (msg: string) => lines.filter((line) => line.msg === msg);
    expect(said('attempt').map(({ step, attemptId }) => [step, attemptId])).toEqual(attempts.map(({ step, attemptId }) => [step, attemptId]));
    expect([said('run started').length, said('run ended').length]).toEqual([1, 1]);
  }
  const args = ['client/cli/bin.mjs', 'runs', 'show', 'called', '--logs'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: stage.environment });
  expect(stdout).toMatch(/ info {2}worker run started traceId=(ab){16} task=test /);
  expect(stdout).toMatch(/ info {2}worker attempt traceId=(ab){16} step=1 attemptId=/);
});

test('a sink that is down keeps nobody waiting, and gets everything once it is back', async () => {
  const before = (await stage.store.listSinks()).find(({ sink }) => sink === 'phoenix');
  expect(before?.pending).toBeGreaterThan(10);
  expect(before?.exported).toBe(0);
  dead.answer = () => ({ status: 200 });
  await waitFor('the backlog', async () => ((await stage.store.listSinks()).find(({ sink }) => sink === 'phoenix')?.pending === 0 ? true : null), 90_000);
  const { traceId } = traceOf(await stage.run('killed'));
  const spans = dead.spans.filter((span) => span.traceId === traceId);
  expect(traceProblems(spans)).toEqual([]);
  expect(spans.find(({ name }) => name.startsWith('chat'))?.attributes).toMatchObject({ 'openinference.span.kind': 'LLM', 'session.id': 'killed' });
  expect(dead.requests[0]?.headers).toMatchObject({ 'x-project-name': 'tollgate' });
  expect(dead.requests[0]?.headers).not.toHaveProperty('x-collector-key');
});

test('feedback on a run goes from the worker to both sinks, in the way of each, without what was said', async () => {
  const handle = await stage.start({ prompt: 'PLAIN' }, { id: 'judged' });
  await handle.result();
  const run = await stage.run('judged');
  await stage.store.putFeedback(newFeedback(run.runKey, { scorePerMille: -1_000, label: 'wrong', comment: 'it said plum' }));
  const [span] = await waitFor('feedback at the collector', async () => {
    const found = capture.spans.filter(({ name }) => name === 'feedback');
    return found.length > 0 ? found : null;
  });
  const root = spanIdOf(run.runKey, { type: 'run' });
  expect(span).toMatchObject({ traceId: traceOf(run).traceId, parentSpanId: root, events: ['gen_ai.evaluation.result'] });
  expect(span?.attributes).toMatchObject({ 'tollgate.feedback.score': -1, [TOLLGATE.task]: 'test' });
  const annotation = await waitFor('feedback at the other sink', async () => dead.requests.find(({ path }) => path.startsWith('/v1/span_annotations')));
  const [{ span_id: about, result }] = JSON.parse(annotation.body.toString('utf8')).data;
  expect([about, result]).toEqual([root, { score: -1, label: 'wrong' }]);
  for (const { body } of [...capture.requests, ...dead.requests]) expect(body.includes('it said plum')).toBe(false);
});
