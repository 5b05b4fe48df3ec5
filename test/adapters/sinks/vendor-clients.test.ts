import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSinks, type TraceOptions } from '../../../adapters/sinks/open-sinks.ts';
import type { Feedback } from '../../../adapters/sinks/feedback.ts';
import { type RequestSummary, summaryOf } from '../../../scripts/vendor-clients/summary.ts';
import { EVENT, GEN_AI, TOLLGATE } from '../../../telemetry/names.ts';
import type { Span } from '../../../telemetry/span.ts';
import { OtlpCapture } from '../../support/otlp-capture.ts';

/** What the vendors' own clients sent; "node scripts/vendor-clients.ts" records it anew. */
const RECORDED = JSON.parse(readFileSync(fileURLToPath(new URL('vendor-requests.json', import.meta.url)), 'utf8')) as Readonly<
  Record<string, { readonly clients: readonly string[]; readonly requests: readonly RequestSummary[] }>
>;
const OPTIONS: TraceOptions = { timeoutMs: 5_000, compression: 'none', vendors: [], withContent: true, resource: {}, isOff: false };
const SECRETS: Record<string, string> = {
  LANGSMITH_API_KEY: 'k',
  LANGFUSE_PUBLIC_KEY: 'pk',
  LANGFUSE_SECRET_KEY: 'sk',
  BRAINTRUST_API_KEY: 'k',
  PHOENIX_API_KEY: 'k',
  HELICONE_API_KEY: 'k',
  WANDB_API_KEY: 'k',
};
const chat: Span = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  parentSpanId: 'c'.repeat(16),
  name: 'chat gpt-4o-mini',
  kind: 'client',
  startMs: 1_800_000_000_000,
  endMs: 1_800_000_001_000,
  attributes: {
    [GEN_AI.operation]: 'chat',
    [GEN_AI.system]: 'openai',
    [GEN_AI.requestModel]: 'gpt-4o-mini',
    [GEN_AI.conversationId]: 'run-1',
    [GEN_AI.inputTokens]: 1_200,
    [GEN_AI.outputTokens]: 300,
    [GEN_AI.cost]: 0.000285,
    [TOLLGATE.task]: 'support',
    [TOLLGATE.tenant]: 'acme',
    [TOLLGATE.requester]: 'alice',
  },
  events: [],
  status: { code: 'ok' },
};
const feedback: Feedback = {
  uuid: '11111111-2222-5333-8444-555555555555',
  feedbackId: 'f1',
  traceId: chat.traceId,
  aboutSpanId: chat.spanId,
  score: 1,
  label: 'helpful',
  comment: 'good',
  metadata: { agentRunId: 'run-1' },
  attemptId: '11111111-2222-4333-8444-555555555555',
  span: { ...chat, name: 'feedback', attributes: { [TOLLGATE.feedbackScore]: 1 }, events: [{ name: EVENT.evaluation, atMs: chat.endMs, attributes: {} }] },
};

let capture: OtlpCapture;
beforeEach(async () => {
  capture = await new OtlpCapture().open();
});
afterEach(() => capture.close());

/** What we send: a call, then feedback on it. */
async function ours(type: 'langsmith' | 'langfuse' | 'braintrust' | 'phoenix' | 'helicone' | 'weave'): Promise<RequestSummary[]> {
  const spec = { type, url: capture.url, ...(type === 'weave' ? { project: 'team/agents' } : { project: 'agents' }) };
  const [opened] = openSinks(OPTIONS, { ours: spec }, (name) => SECRETS[name]);
  await opened?.sink.send([chat]);
  await opened?.sink.sendFeedback(feedback);
  return capture.requests.filter(({ method }) => method === 'POST').map(summaryOf);
}

function theirs(vendor: string, path: string): RequestSummary {
  const found = RECORDED[vendor]?.requests.find((request) => request.path === path);
  if (!found) throw new Error(`${vendor}'s client was not recorded to send anything to ${path}`);
  return found;
}

test.each([
  ['langsmith', '/otel/v1/traces', 'application/x-protobuf'],
  ['langfuse', '/api/public/otel/v1/traces', 'application/json'],
  ['braintrust', '/otel/v1/traces', 'application/json'],
] as const)('spans for %s go where its own client sends them, let in by the same headers', async (vendor, path, encoding) => {
  const [spans] = await ours(vendor);
  const client = theirs(vendor, path);
  expect(spans).toMatchObject({ method: 'POST', path, contentType: 'application/x-protobuf' });
  expect(spans?.headers).toMatchObject(client.headers);
  expect(client.contentType).toBe(encoding);
});

/** The names under which a vendor's client sends the essentials, and under which we do where those differ on purpose. */
const FIELDS: Readonly<Record<'langsmith' | 'langfuse' | 'braintrust', Readonly<Record<string, readonly [client: string, we: string]>>>> = {
  langsmith: {
    kind: ['langsmith.span.kind', 'langsmith.span.kind'],
    model: ['gen_ai.request.model', 'gen_ai.request.model'],
    provider: ['gen_ai.system', 'gen_ai.system'],
    input: ['gen_ai.usage.input_tokens', 'gen_ai.usage.input_tokens'],
    output: ['gen_ai.usage.output_tokens', 'gen_ai.usage.output_tokens'],
    total: ['gen_ai.usage.total_tokens', 'gen_ai.usage.total_tokens'],
    usage: ['langsmith.usage_metadata', 'langsmith.usage_metadata'],
    session: ['langsmith.metadata.session_id', 'langsmith.metadata.session_id'],
    user: ['langsmith.metadata.user_id', 'langsmith.metadata.user_id'],
    tags: ['langsmith.span.tags', 'langsmith.span.tags'],
  },
  langfuse: {
    kind: ['langfuse.observation.type', 'langfuse.observation.type'],
    // Its server reads the conventions' names too, and its own before the plain ones.
    model: ['langfuse.observation.model.name', 'gen_ai.request.model'],
    usage: ['langfuse.observation.usage_details', 'gen_ai.usage.input_tokens'],
    cost: ['langfuse.observation.cost_details', 'langfuse.observation.cost_details'],
    session: ['session.id', 'langfuse.session.id'],
    user: ['user.id', 'langfuse.user.id'],
    tags: ['langfuse.trace.tags', 'langfuse.trace.tags'],
    metadata: ['langfuse.trace.metadata.tenant', 'langfuse.trace.metadata.tenant'],
    environment: ['langfuse.environment', 'resource langfuse.environment'],
  },
  braintrust: {
    kind: ['braintrust.span_attributes', 'braintrust.span_attributes'],
    model: ['gen_ai.request.model', 'gen_ai.request.model'],
    input: ['gen_ai.usage.input_tokens', 'gen_ai.usage.input_tokens'],
    metadata: ['braintrust.metadata', 'braintrust.metadata'],
    cost: ['braintrust.metrics', 'braintrust.metrics'],
    tags: ['braintrust.tags', 'braintrust.tags'],
  },
};

test.each(Object.keys(FIELDS) as (keyof typeof FIELDS)[])('the essentials of a call have the names that the client of %s gives them', async (vendor) => {
  const path = vendor === 'langfuse' ? '/api/public/otel/v1/traces' : '/otel/v1/traces';
  const [spans] = await ours(vendor);
  const client = theirs(vendor, path);
  for (const [what, [named, we]] of Object.entries(FIELDS[vendor])) {
    expect(client.fields, `${what} of the client`).toContain(named);
    expect(spans?.fields, what).toContain(we);
  }
});

test('feedback for LangSmith and Phoenix is what their own clients send', async () => {
  for (const [vendor, path] of [
    ['langsmith', '/feedback'],
    ['phoenix', '/v1/span_annotations?sync=true'],
  ] as const) {
    const sent = (await ours(vendor)).find((request) => request.path === path);
    const client = theirs(vendor, path);
    expect(sent, vendor).toMatchObject({ method: client.method, contentType: client.contentType });
    expect(sent?.headers).toMatchObject(client.headers);
    // The id of a project is looked up at the vendor's, which does not answer here.
    expect(client.fields.filter((field) => field !== 'session_id' && !sent?.fields.includes(field))).toEqual([]);
  }
});

test('a score for Langfuse has the fields that its client puts into a batch, at the address for single ones', async () => {
  const sent = (await ours('langfuse')).at(-1);
  const client = theirs('langfuse', '/api/public/ingestion');
  expect(sent).toMatchObject({ path: '/api/public/scores', headers: client.headers });
  const fields = client.fields.flatMap((field) => (field.startsWith('batch[].body.') ? [field.slice('batch[].body.'.length)] : []));
  expect(fields.length).toBeGreaterThan(5);
  expect(fields.filter((field) => !sent?.fields.includes(field))).toEqual([]);
});

test('Weave and Helicone are let in by the key that their clients send; their clients speak protocols of their own', async () => {
  expect(theirs('weave', '/call/upsert_batch').headers).toEqual({ authorization: 'Basic' });
  expect(theirs('helicone', '/custom/v1/log').headers).toMatchObject({ authorization: 'Bearer' });
  expect((await ours('weave')).at(-1)?.headers).toEqual({ authorization: 'Basic' });
  capture.requests.length = 0;
  expect((await ours('helicone')).map(({ headers }) => headers.authorization)).toEqual(['Bearer', 'Bearer']);
});
