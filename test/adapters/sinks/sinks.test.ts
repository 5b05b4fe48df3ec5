import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSinks, type TraceOptions } from '../../../adapters/sinks/open-sinks.ts';
import type { SinkSpec } from '../../../domain/task/define.ts';
import type { Feedback } from '../../../adapters/sinks/feedback.ts';
import { EVALUATION, EVENT, GEN_AI, TOLLGATE } from '../../../telemetry/names.ts';
import type { Span } from '../../../telemetry/span.ts';
import { OtlpCapture } from '../../support/otlp-capture.ts';

const OPTIONS: TraceOptions = { timeoutMs: 10_000, compression: 'none', vendors: [], withContent: false, resource: {}, isOff: false };
const common = {
  [GEN_AI.conversationId]: 'run-1',
  [GEN_AI.promptName]: 'support',
  [TOLLGATE.agentRunId]: 'run-1',
  [TOLLGATE.task]: 'support',
  [TOLLGATE.tenant]: 'acme',
  [TOLLGATE.feature]: 'chat',
  [TOLLGATE.requester]: 'alice',
  [TOLLGATE.promptVersion]: 'support@abc',
};
const span = (name: string, spanId: string, attributes: Span['attributes'], parentSpanId: string | null): Span => ({
  traceId: 'a'.repeat(32),
  spanId: spanId.repeat(16),
  parentSpanId: parentSpanId?.repeat(16) ?? null,
  name,
  kind: 'internal',
  startMs: 1_800_000_000_123,
  endMs: 1_800_000_001_000,
  attributes: { ...common, ...attributes },
  events: [],
  status: { code: 'ok' },
});
const usage = {
  [GEN_AI.inputTokens]: 1_200,
  [GEN_AI.outputTokens]: 300,
  [GEN_AI.cacheReadTokens]: 1_000,
  [GEN_AI.reasoningTokens]: 64,
  [GEN_AI.cost]: 0.000285,
};
const spans: Span[] = [
  span('invoke_agent support', '1', { [GEN_AI.operation]: 'invoke_agent', [GEN_AI.agentId]: 'run-1' }, null),
  span('step 1', '2', {}, '1'),
  span('chat gpt-4o-mini', '3', { [GEN_AI.operation]: 'chat', [GEN_AI.requestModel]: 'gpt-4o-mini', ...usage }, '2'),
  span('execute_tool look', '4', { [GEN_AI.operation]: 'execute_tool', [GEN_AI.toolName]: 'look' }, '2'),
];

let capture: OtlpCapture;
beforeEach(async () => {
  capture = await new OtlpCapture().open();
});
afterEach(() => capture.close());

async function sent(spec: SinkSpec, secrets: Record<string, string>) {
  const [opened] = openSinks(OPTIONS, { ours: { url: capture.url, ...spec } }, (name) => secrets[name]);
  expect(await opened?.sink.send(spans)).toEqual({ type: 'taken', rejected: 0 });
  const request = capture.requests.findLast(({ headers }) => headers['content-type'] !== undefined);
  if (!request) throw new Error('nothing arrived');
  const byName = Object.fromEntries(capture.spans.map((captured) => [captured.name, captured]));
  return { request, chat: byName['chat gpt-4o-mini'], root: byName['invoke_agent support'], step: byName['step 1'], resource: capture.spans[0]?.resource };
}

test('LangSmith: its path, key and project; session, user and tags in its words', async () => {
  const { request, chat, root } = await sent({ type: 'langsmith', project: 'agents' }, { LANGSMITH_API_KEY: 'k' });
  expect(request.path).toBe('/otel/v1/traces');
  expect(request.headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'x-api-key': 'k', 'langsmith-project': 'agents' });
  expect(chat?.attributes).toMatchObject({
    'langsmith.span.kind': 'llm',
    'langsmith.metadata.session_id': 'run-1',
    'langsmith.span.tags': 'task:support,tenant:acme,feature:chat',
  });
  // Its "session" means the project; a wrong one is refused.
  expect(Object.keys(root?.attributes ?? {}).filter((key) => key.startsWith('langsmith.trace.session'))).toEqual([]);
});

test('Weave: routing by resource attributes, reasoning tokens under its own name', async () => {
  const { request, chat, resource } = await sent({ type: 'weave', project: 'team/agents' }, { WANDB_API_KEY: 'k' });
  expect(request.path).toBe('/agents/otel/v1/traces');
  expect(request.headers['wandb-api-key']).toBe('k');
  expect(resource).toMatchObject({ 'wandb.entity': 'team', 'wandb.project': 'agents' });
  expect(chat?.attributes['gen_ai.usage.reasoning_tokens']).toBe(64);
});

test('Phoenix: OpenInference kinds, also for what it does not map itself', async () => {
  const { request, chat, step, resource } = await sent({ type: 'phoenix', project: 'agents' }, { PHOENIX_API_KEY: 'k' });
  expect([request.path, request.headers.authorization, request.headers['x-project-name']]).toEqual(['/v1/traces', 'Bearer k', 'agents']);
  expect(resource).toMatchObject({ 'openinference.project.name': 'agents' });
  expect([chat?.attributes['openinference.span.kind'], step?.attributes['openinference.span.kind']]).toEqual(['LLM', 'CHAIN']);
  expect(chat?.attributes).toMatchObject({ 'session.id': 'run-1', 'user.id': 'alice', 'llm.prompt_template.version': 'support@abc' });
});

test('Braintrust: parent header, type, and our cost among its metrics', async () => {
  const { request, chat, step } = await sent({ type: 'braintrust', project: 'agents' }, { BRAINTRUST_API_KEY: 'k' });
  expect([request.path, request.headers.authorization, request.headers['x-bt-parent']]).toEqual(['/otel/v1/traces', 'Bearer k', 'project_name:agents']);
  expect(JSON.parse(String(chat?.attributes['braintrust.span_attributes']))).toEqual({ type: 'llm' });
  expect(JSON.parse(String(chat?.attributes['braintrust.metrics']))).toMatchObject({ estimated_cost: 0.000285, prompt_tokens: 1_200 });
  expect(step?.attributes).not.toHaveProperty('braintrust.metrics');
});

test('Langfuse: both keys, its types, and our cost in place of its own', async () => {
  const { request, chat, root } = await sent({ type: 'langfuse' }, { LANGFUSE_PUBLIC_KEY: 'pk', LANGFUSE_SECRET_KEY: 'sk' });
  expect(request.path).toBe('/api/public/otel/v1/traces');
  expect(request.headers.authorization).toBe(`Basic ${Buffer.from('pk:sk').toString('base64')}`);
  expect(chat?.attributes).toMatchObject({ 'langfuse.observation.type': 'generation', 'langfuse.session.id': 'run-1', 'langfuse.user.id': 'alice' });
  expect(JSON.parse(String(chat?.attributes['langfuse.observation.cost_details']))).toEqual({ total: 0.000285 });
  expect(root?.attributes['langfuse.trace.name']).toBe('support');
});

test('Helicone gets JSON at an address of its own, and only the calls', async () => {
  const { request } = await sent({ type: 'helicone' }, { HELICONE_API_KEY: 'k' });
  expect([request.path, request.headers['content-type'], request.headers.authorization]).toEqual(['/v1/trace/log', 'application/json', 'Bearer k']);
  const body = JSON.parse(request.body.toString('utf8'));
  const sentSpans = body.resourceSpans.flatMap(({ scopeSpans }: { scopeSpans: { spans: { name: string }[] }[] }) =>
    scopeSpans.flatMap(({ spans: inner }) => inner),
  );
  expect(sentSpans.map(({ name }: { name: string }) => name)).toEqual(['chat gpt-4o-mini']);
});

test('input counts include what was cached, and both names of a renamed attribute are sent', async () => {
  const { chat } = await sent({ type: 'otlp', url: `${capture.url}/v1/traces` }, {});
  expect(chat?.attributes).toMatchObject({ 'gen_ai.usage.input_tokens': 1_200, 'gen_ai.usage.cache_read.input_tokens': 1_000 });
  expect([chat?.startMs, chat?.endMs]).toEqual([1_800_000_000_123, 1_800_000_001_000]);
});

test('compressed where that is asked for', async () => {
  const [opened] = openSinks({ ...OPTIONS, compression: 'gzip' }, { ours: { type: 'otlp', url: capture.url } }, () => undefined);
  await opened?.sink.send(spans);
  expect(capture.requests[0]?.headers['content-encoding']).toBe('gzip');
  expect(capture.spans).toHaveLength(4);
});

test('every sink that lacks something is named at once, with the variable', () => {
  expect(() => openSinks({ ...OPTIONS, vendors: ['langsmith', 'weave', 'langfuse'] }, {}, () => undefined)).toThrow(
    /LANGSMITH_API_KEY[\s\S]*WANDB_PROJECT[\s\S]*LANGFUSE_PUBLIC_KEY/,
  );
  expect(openSinks({ ...OPTIONS, vendors: ['langsmith'], isOff: true }, {}, () => undefined)).toEqual([]);
});

test('what may pass is tried again, what never will is dropped, and a key that is wrong loses nothing', async () => {
  const [opened] = openSinks(OPTIONS, { ours: { type: 'otlp', url: capture.url } }, () => undefined);
  const answers = async (status: number, headers = {}) => {
    capture.answer = () => ({ status, headers });
    return await opened?.sink.send(spans);
  };
  for (const status of [401, 403, 404, 408, 429, 500, 502, 503, 504]) expect(await answers(status), String(status)).toMatchObject({ type: 'unavailable' });
  for (const status of [301, 400, 413, 415, 422])
    expect(await answers(status, status === 301 ? { location: '/' } : {}), String(status)).toMatchObject({ type: 'refused' });
  expect(await answers(503, { 'retry-after': '7' })).toEqual({ type: 'unavailable', reason: 'HTTP 503', retryAfterMs: 7_000 });
  capture.close();
  expect(await opened?.sink.send(spans)).toMatchObject({ type: 'unavailable' });
});

const feedback: Feedback = {
  uuid: '11111111-2222-5333-8444-555555555555',
  feedbackId: 'thumb-1',
  traceId: 'a'.repeat(32),
  aboutSpanId: '1'.repeat(16),
  score: -0.5,
  label: 'wrong-order',
  comment: 'not this one',
  metadata: { agentRunId: 'run-1', task: 'support', tenant: 'acme', feature: 'chat' },
  attemptId: '99999999-2222-4333-8444-555555555555',
  span: {
    ...span('feedback', '9', { [TOLLGATE.feedbackScore]: -0.5 }, '1'),
    events: [{ name: EVENT.evaluation, atMs: 1_800_000_001_000, attributes: { [EVALUATION.name]: 'user_feedback', [EVALUATION.score]: -0.5 } }],
  },
};

async function fedBack(spec: SinkSpec, secrets: Record<string, string>) {
  const [opened] = openSinks(OPTIONS, { ours: { url: capture.url, ...spec } }, (name) => secrets[name]);
  expect(await opened?.sink.sendFeedback(feedback)).toEqual({ type: 'taken', rejected: 0 });
  const request = capture.requests.find(({ method }) => method === 'POST');
  if (!request) throw new Error('nothing arrived');
  const isJson = request.headers['content-type'] === 'application/json';
  return { path: request.path, headers: request.headers, body: isJson ? JSON.parse(request.body.toString('utf8')) : null };
}

test('LangSmith gets usage as its own client sends it: with what was cached, and the cost', async () => {
  const { chat, step } = await sent({ type: 'langsmith' }, { LANGSMITH_API_KEY: 'k' });
  const usage = { input_tokens: 1_200, output_tokens: 300, total_tokens: 1_500, input_token_details: { cache_read: 1_000 }, total_cost: 0.000285 };
  expect(JSON.parse(String(chat?.attributes['langsmith.usage_metadata']))).toMatchObject(usage);
  expect(step?.attributes).not.toHaveProperty('langsmith.usage_metadata');
});

test('feedback for LangSmith names its project where that can be looked up', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${Buffer.concat(parts).toString()}`);
      response.end(JSON.stringify(request.method === 'GET' ? [{ id: 'project-1' }] : {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [opened] = openSinks(OPTIONS, { ours: { type: 'langsmith', project: 'agents', url } }, () => 'k');
  for (const _ of [1, 2]) expect(await opened?.sink.sendFeedback(feedback)).toEqual({ type: 'taken', rejected: 0 });
  server.closeAllConnections();
  server.close();
  expect(asked.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['GET /sessions?name=agents&limit=1', 'POST /feedback', 'POST /feedback']);
  expect(asked[2]).toContain('"session_id":"project-1"');
});

test('feedback for LangSmith: about the run whose id the span states, with an id of its own', async () => {
  const { path, headers, body } = await fedBack({ type: 'langsmith' }, { LANGSMITH_API_KEY: 'k' });
  expect([path, headers['x-api-key']]).toEqual(['/feedback', 'k']);
  expect(body).toMatchObject({ id: feedback.uuid, run_id: '00000000-0000-0000-1111-111111111111', key: 'user_feedback', score: -0.5, value: 'wrong-order' });
  const { root, chat } = await sent({ type: 'langsmith' }, { LANGSMITH_API_KEY: 'k' });
  expect(root?.attributes['langsmith.span.id']).toBe(body.run_id);
  expect(root?.attributes).not.toHaveProperty('langsmith.span.parent_id');
  expect(chat?.attributes['langsmith.span.parent_id']).toBe('00000000-0000-0000-2222-222222222222');
});

test('feedback for Phoenix: an annotation of the span by a person, written over by its identifier', async () => {
  const { path, headers, body } = await fedBack({ type: 'phoenix' }, { PHOENIX_API_KEY: 'k' });
  expect([path, headers.authorization]).toEqual(['/v1/span_annotations?sync=true', 'Bearer k']);
  const result = { score: -0.5, label: 'wrong-order', explanation: 'not this one' };
  expect(body.data).toMatchObject([{ span_id: feedback.aboutSpanId, name: 'user_feedback', annotator_kind: 'HUMAN', identifier: 'thumb-1', result }]);
});

test('feedback for Langfuse: a score of the observation, by an id of its own', async () => {
  const { path, headers, body } = await fedBack({ type: 'langfuse', project: 'prod' }, { LANGFUSE_PUBLIC_KEY: 'pk', LANGFUSE_SECRET_KEY: 'sk' });
  expect([path, headers.authorization]).toEqual(['/api/public/scores', `Basic ${Buffer.from('pk:sk').toString('base64')}`]);
  expect(body).toMatchObject({ id: feedback.uuid, traceId: feedback.traceId, observationId: feedback.aboutSpanId, value: -0.5, dataType: 'NUMERIC' });
  expect(body.environment).toBe('prod');
});

test('feedback for Weave is about the call of the span', async () => {
  const { path, headers, body } = await fedBack({ type: 'weave', project: 'team/agents' }, { WANDB_API_KEY: 'k' });
  expect([path, headers.authorization]).toEqual(['/feedback/create', `Basic ${Buffer.from('api:k').toString('base64')}`]);
  expect(body).toMatchObject({ project_id: 'team/agents', weave_ref: `weave:///team/agents/call/${feedback.aboutSpanId}`, payload: { score: -0.5 } });
});

test('feedback for Helicone rates the request of the call; what is neither good nor bad is no rating', async () => {
  const { path, headers, body } = await fedBack({ type: 'helicone' }, { HELICONE_API_KEY: 'k' });
  expect([path, headers.authorization, body]).toEqual([`/v1/request/${feedback.attemptId}/feedback`, 'Bearer k', { rating: false }]);
  const [opened] = openSinks(OPTIONS, { ours: { type: 'helicone', url: capture.url } }, () => 'k');
  expect(await opened?.sink.sendFeedback({ ...feedback, score: 0 })).toEqual({ type: 'taken', rejected: 0 });
  expect(capture.requests).toHaveLength(1);
});

test('feedback for Braintrust and for a collector is a span below the one that it is about, with an evaluation', async () => {
  await fedBack({ type: 'braintrust' }, { BRAINTRUST_API_KEY: 'k' });
  const [scored] = capture.spans;
  expect(scored).toMatchObject({ name: 'feedback', parentSpanId: feedback.aboutSpanId, events: ['gen_ai.evaluation.result'] });
  expect(JSON.parse(String(scored?.attributes['braintrust.scores']))).toEqual({ user_feedback: 0.25 });
  expect(JSON.parse(String(scored?.attributes['braintrust.span_attributes']))).toEqual({ type: 'score' });
  const [opened] = openSinks(OPTIONS, { ours: { type: 'otlp', url: `${capture.url}/v1/traces` } }, () => undefined);
  expect(await opened?.sink.sendFeedback(feedback)).toEqual({ type: 'taken', rejected: 0 });
  expect(capture.spans[1]).toMatchObject({ spanId: scored?.spanId, events: ['gen_ai.evaluation.result'] });
});

test('where an address names the whole path of traces, feedback goes to its own path there', async () => {
  const { path } = await fedBack(
    { type: 'langfuse', url: `${capture.url}/api/public/otel/v1/traces` },
    { LANGFUSE_PUBLIC_KEY: 'pk', LANGFUSE_SECRET_KEY: 'sk' },
  );
  expect(path).toBe('/api/public/scores');
});
