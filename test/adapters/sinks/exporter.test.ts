import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TraceExporter } from '../../../adapters/sinks/exporter.ts';
import type { Delivery, Sink } from '../../../adapters/sinks/sink.ts';
import { openSqliteStore } from '../../../adapters/stores/sqlite/sqlite-store.ts';
import type { Store } from '../../../domain/store/port.ts';
import { GEN_AI, TOLLGATE } from '../../../telemetry/names.ts';
import type { Span } from '../../../telemetry/span.ts';
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
  const { traceparentBelow, traceOf, spanIdOf } = await import('../../../telemetry/trace-ids.ts');
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
  expect(await pendingOf()).toEqual({ sink: 'recorder', pending: 0, exported: sink.sent.length, dropped: 0 });
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
  expect(await pendingOf()).toEqual({ sink: 'recorder', pending: 0, exported: 0, dropped: 2 });
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
