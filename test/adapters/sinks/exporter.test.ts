import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TraceExporter } from '../../../adapters/sinks/exporter.ts';
import type { Feedback } from '../../../adapters/sinks/feedback.ts';
import type { Delivery, Sink } from '../../../adapters/sinks/sink.ts';
import { openSqliteStore } from '../../../adapters/stores/sqlite/sqlite-store.ts';
import type { Store } from '../../../domain/store/port.ts';
import { GEN_AI, TOLLGATE } from '../../../telemetry/names.ts';
import { spanIdOf } from '../../../telemetry/trace-ids.ts';
import type { Span } from '../../../telemetry/span.ts';
import { newFeedback } from '../../support/store-contract/feedback-contract.ts';
import { END, newToolCall, reply, reserve, startRun, usd } from '../../support/store-contract/fixtures.ts';
import { waitFor } from '../../support/wait-for.ts';

const USAGE = { inputTokens: 10, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 0 };
let folder: string;
let path: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-traces-'));
  path = join(folder, 'tollgate.db');
  store = await openSqliteStore({ path });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

class Recorder implements Sink {
  readonly name = 'recorder';
  readonly sent: Span[] = [];
  readonly feedback: Feedback[] = [];
  feedbackDelivery: (feedback: Feedback) => Delivery = () => ({ type: 'taken', rejected: 0 });
  async sendFeedback(feedback: Feedback): Promise<Delivery> {
    const delivery = this.feedbackDelivery(feedback);
    if (delivery.type === 'taken') this.feedback.push(feedback);
    return delivery;
  }
  delivery: Delivery = { type: 'taken', rejected: 0 };
  async send(spans: readonly Span[]): Promise<Delivery> {
    if (this.delivery.type === 'taken') this.sent.push(...spans);
    return this.delivery;
  }
}

const exporterOf = (sink: Sink, maxPending = 100_000) =>
  new TraceExporter({ store, sinks: [{ sink, withContent: false }], timeoutMs: 1_000, maxPending, log: () => undefined });
const pendingOf = async () => (await store.listSinks())[0];

test('a reply that came after its attempt was given up: two spans, whose sums are what was settled', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const key = await startRun(store);
  const attemptId = await reserve(store, key);
  const lost = { class: 'connectionLost', retrySameModel: true, nextCandidate: true, billed: 'unknown' } as const;
  await store.reportAttempt(key, attemptId, { outcome: { type: 'failed', verdict: lost, message: 'lost' } });
  await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('late'), usage: USAGE, money: { type: 'settle', costNanoUsd: usd(9) } });
  await store.endRun(key, END, 1);
  const sink = new Recorder();
  await exporterOf(sink).flush();
  const sum = (name: string) => sink.sent.reduce((total, { attributes }) => total + Number(attributes[name] ?? 0), 0);
  expect(sink.sent.map(({ name }) => name).toSorted()).toEqual(['chat gpt-5-mini', 'invoke_agent support', 'settle gpt-5-mini', 'step 1']);
  const ofAttempt = sink.sent.filter(({ attributes }) => attributes[TOLLGATE.attemptId]);
  expect(ofAttempt.reduce((total, { attributes }) => total + Number(attributes[TOLLGATE.costSettledNanoUsd] ?? 0), 0)).toBe(9);
  expect([sum(GEN_AI.inputTokens), sum(GEN_AI.outputTokens)]).toEqual([10, 5]);
});

test('what was under way when its run ended has a span, and one that ends later is the same span', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const key = await startRun(store);
  const attemptId = await reserve(store, key);
  await store.endRun(key, END, 0);
  const sink = new Recorder();
  await exporterOf(sink).flush();
  const [open] = sink.sent.filter(({ name }) => name.startsWith('chat'));
  expect(open?.attributes).toMatchObject({ [TOLLGATE.outcome]: 'unknown', [TOLLGATE.costStatus]: 'held' });
  await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('x'), usage: USAGE, money: { type: 'settle', costNanoUsd: usd(3) } });
  await exporterOf(sink).flush();
  expect(new Set(sink.sent.filter(({ name }) => name.startsWith('chat')).map(({ spanId }) => spanId)).size).toBe(1);
});

test('a child is in the trace of its parent, below it', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const { traceparentBelow, traceOf } = await import('../../../telemetry/trace-ids.ts');
  const parent = await startRun(store);
  const child = await startRun(store, { parentRunKeys: [parent], traceparent: traceparentBelow({ runKey: parent }, { type: 'run' }) });
  await store.endRun(child, END, 0);
  await store.endRun(parent, END, 0);
  const sink = new Recorder();
  await exporterOf(sink).flush();
  expect(new Set(sink.sent.map(({ traceId }) => traceId))).toEqual(new Set([traceOf({ runKey: parent }).traceId]));
  expect(sink.sent.map(({ parentSpanId }) => parentSpanId)).toEqual([spanIdOf(parent, { type: 'run' }), null]);
  expect(new Set(sink.sent.map(({ attributes }) => attributes[GEN_AI.conversationId]))).toEqual(new Set([parent.agentRunId]));
});

test('an export whose outcome nobody noted is repeated with the same spans', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const key = await startRun(store);
  await reserve(store, key);
  await store.endRun(key, END, 0);
  const sink = new Recorder();
  sink.delivery = { type: 'unavailable', reason: 'no answer' };
  let seen: readonly Span[] = [];
  const failing: Sink = {
    name: 'recorder',
    sendFeedback: (feedback) => sink.sendFeedback(feedback),
    send: async (spans) => {
      seen = spans;
      return await sink.send(spans);
    },
  };
  await exporterOf(failing).flush();
  expect(sink.sent).toEqual([]);
  const path2 = new DatabaseSync(path);
  path2.exec('UPDATE trace_sinks SET lease_until_ms = 0');
  path2.close();
  sink.delivery = { type: 'taken', rejected: 0 };
  await exporterOf(sink).flush();
  expect(sink.sent).toEqual(seen);
  expect(await pendingOf()).toEqual({ sink: 'recorder', pending: 0, oldestAtMs: null, exported: sink.sent.length, dropped: 0 });
});

test('refused spans are dropped and counted; a row that nothing can be made of holds up none', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const key = await startRun(store);
  await store.endRun(key, END, 0);
  const database = new DatabaseSync(path);
  database.exec("INSERT INTO trace_outbox (sink, run, kind, ref, at_ms) SELECT 'recorder', run, 'attempt', 'never-there', 1 FROM trace_outbox");
  database.close();
  const sink = new Recorder();
  sink.delivery = { type: 'refused', reason: 'HTTP 400' };
  await exporterOf(sink).flush();
  expect(await pendingOf()).toEqual({ sink: 'recorder', pending: 0, oldestAtMs: null, exported: 0, dropped: 2 });
});

/** A run that has ended, with feedback on it, for a sink that takes both. */
async function judgedRun(...feedback: Parameters<typeof newFeedback>[1][]) {
  await store.registerSinks(['recorder'], 1e12);
  await store.registerSinks(['recorder feedback'], 1e12, 'feedback');
  const key = await startRun(store);
  await store.endRun(key, END, 0);
  for (const change of feedback) await store.putFeedback(newFeedback(key, change));
  return key;
}
const feedbackState = async () => (await store.listSinks()).find(({ sink }) => sink === 'recorder feedback');
function forgetLeases(): void {
  const database = new DatabaseSync(path);
  database.exec('UPDATE trace_sinks SET lease_until_ms = 0');
  database.close();
}

test('feedback goes to the sink once, about the span of its run or step, without what was said and who said it', async () => {
  const key = await judgedRun({ comment: 'call ann', label: 'good', actor: 'carol' }, { feedbackId: 'f2', step: 3, scorePerMille: -500 });
  const sink = new Recorder();
  await exporterOf(sink).flush();
  await exporterOf(sink).flush();
  const run = sink.sent.find(({ name }) => name.startsWith('invoke_agent'));
  expect(sink.feedback).toMatchObject([
    { feedbackId: 'f1', score: 1, label: 'good', comment: null, traceId: run?.traceId, aboutSpanId: run?.spanId },
    { feedbackId: 'f2', score: -0.5, label: null, aboutSpanId: spanIdOf(key, { type: 'step', step: 3 }), metadata: { step: 3 } },
  ]);
  expect(JSON.stringify(sink.feedback)).not.toMatch(/call ann|carol/);
  expect(await feedbackState()).toMatchObject({ pending: 0, exported: 2, dropped: 0 });
});

test('feedback that a sink can not take now stays and is sent again with the same ids, and spans do not wait for it', async () => {
  await judgedRun({});
  const sink = new Recorder();
  const tried: string[] = [];
  sink.feedbackDelivery = ({ uuid }) => {
    tried.push(uuid);
    return { type: 'unavailable', reason: 'HTTP 503' };
  };
  await exporterOf(sink).flush();
  expect(sink.sent).toHaveLength(1);
  await store.endRun(await startRun(store), END, 0);
  await exporterOf(sink).flush();
  expect(sink.sent).toHaveLength(2);
  forgetLeases();
  sink.feedbackDelivery = () => ({ type: 'taken', rejected: 0 });
  await exporterOf(sink).flush();
  expect(sink.feedback.map(({ uuid }) => uuid)).toEqual([tried[0]]);
  expect(tried[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('feedback waits for the spans that it is about; what a sink does not know for an hour is dropped, and holds up no other', async () => {
  await judgedRun({}, { feedbackId: 'lost' }, { feedbackId: 'f3' });
  const sink = new Recorder();
  sink.delivery = { type: 'unavailable', reason: 'down' };
  await exporterOf(sink).flush();
  expect(sink.feedback).toEqual([]);
  forgetLeases();
  sink.delivery = { type: 'taken', rejected: 0 };
  sink.feedbackDelivery = ({ feedbackId }) =>
    feedbackId === 'lost' ? { type: 'unavailable', reason: 'HTTP 404', isUnknown: true } : { type: 'taken', rejected: 0 };
  await exporterOf(sink).flush();
  expect(sink.feedback.map(({ feedbackId }) => feedbackId)).toEqual(['f1', 'f3']);
  expect(await feedbackState()).toMatchObject({ pending: 1, exported: 2, dropped: 0 });
  forgetLeases();
  const database = new DatabaseSync(path);
  database.exec('UPDATE trace_outbox SET at_ms = at_ms - 3600001');
  database.close();
  await exporterOf(sink).flush();
  expect(await feedbackState()).toMatchObject({ pending: 0, exported: 2, dropped: 1 });
});

test('refused feedback is dropped and counted, and a dead sink keeps no more of it than is allowed', async () => {
  await judgedRun({}, { feedbackId: 'f2' });
  const sink = new Recorder();
  sink.feedbackDelivery = () => ({ type: 'refused', reason: 'HTTP 422' });
  await exporterOf(sink).flush();
  expect(await feedbackState()).toMatchObject({ pending: 0, exported: 0, dropped: 2 });
  await judgedRun({}, { feedbackId: 'f2' }, { feedbackId: 'f3' });
  expect(await store.trimEnded('recorder feedback', 1)).toBe(2);
  expect(await feedbackState()).toMatchObject({ pending: 1, dropped: 4 });
});

test('what the rows of a batch are made of is read once: a run, and an attempt with the tool call that it asked for', async () => {
  await store.registerSinks(['recorder'], 1e12);
  const key = await startRun(store, { limitNanoUsd: usd(100_000) });
  for (let step = 1; step <= 10; step += 1) {
    const attemptId = await reserve(store, key, { step });
    await store.reportAttempt(key, attemptId, { outcome: { type: 'reply' }, reply: reply('x'), usage: USAGE, money: { type: 'settle', costNanoUsd: usd(3) } });
    await store.journalRead(newToolCall(key, { attemptId, callKey: `${attemptId}:0` }), { status: 'done', result: {}, isError: false });
  }
  const asked: string[] = [];
  const counting = new Proxy(store, {
    get: (target, name: keyof Store) => {
      const method = target[name] as (...given: unknown[]) => unknown;
      return (...given: unknown[]) => {
        asked.push(name);
        return method(...given);
      };
    },
  });
  const sink = new Recorder();
  const sinks = [{ sink, withContent: false }];
  await new TraceExporter({ store: counting, sinks, timeoutMs: 1_000, maxPending: 100, log: () => undefined }).flush();
  const count = (name: string) => asked.filter((other) => other === name).length;
  expect([count('getRun'), count('getAttempt'), count('stepTimes'), count('listGates')]).toEqual([1, 10, 10, 1]);
  const names = new Set(sink.sent.map(({ spanId }) => spanId));
  expect([sink.sent.length, names.size]).toEqual([29, 29]);
});

test('100,000 spans for a dead sink: memory stays where it was, and what is too much is dropped and counted', async () => {
  const sink = new Recorder();
  sink.delivery = { type: 'unavailable', reason: 'down' };
  const exporter = exporterOf(sink, 20_000);
  await exporter.start();
  const key = await startRun(store);
  await store.endRun(key, END, 0);
  const database = new DatabaseSync(path, { timeout: 10_000 });
  const before = process.memoryUsage();
  for (let round = 0; round < 10; round += 1) {
    database.exec(`WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 10000)
      INSERT INTO trace_outbox (sink, run, kind, ref, at_ms) SELECT 'recorder', 1, 'run', '', 1 FROM many`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  database.close();
  await waitFor('the bound', async () => ((await pendingOf())?.pending ?? 0) <= 20_000, 30_000);
  globalThis.gc?.();
  const grown = process.memoryUsage().rss - before.rss;
  await exporter.close();
  expect(await pendingOf()).toMatchObject({ exported: 0, dropped: 80_001, pending: 20_000 });
  expect(grown).toBeLessThan(120 * 1024 * 1024);
});
