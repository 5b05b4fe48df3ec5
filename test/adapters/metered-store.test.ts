import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { meteredStore } from '../../adapters/stores/metered/metered-store.ts';
import { readStoreGauges } from '../../adapters/stores/metered/store-gauges.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import { verdictFor } from '../../domain/model/error-classifier.ts';
import type { Store } from '../../domain/store/port.ts';
import { METRIC_TABLE, prometheusName } from '../../telemetry/metric-table.ts';
import { Metrics } from '../../telemetry/metrics.ts';
import { parseSamples, type Sample, sumOf } from '../support/prometheus-text.ts';
import { END, newAttempt, newGate, newToolCall, reply, reserve, startRun, usd } from '../support/store-contract/fixtures.ts';

const USAGE = { inputTokens: 100, cachedInputTokens: 40, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 5 };
const NO_AUDIT = () => ({ type: 'x', runKey: null, actor: 'x', data: null });
const replied = (cost: number) =>
  ({ outcome: { type: 'reply' }, reply: reply('ok'), usage: USAGE, money: { type: 'settle', costNanoUsd: usd(cost) } }) as const;
const lost = { outcome: { type: 'failed', verdict: verdictFor('connectionLost', 'unknown'), message: 'lost' } } as const;

let folder: string;
let plain: Store;
let metrics: Metrics;
let store: Store;
let key: RunKey;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-metered-'));
  plain = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  metrics = new Metrics({ service: 'test', instance: '1', readGauges: () => readStoreGauges(plain) });
  store = meteredStore(plain, metrics);
  key = await startRun(store, { limitNanoUsd: usd(1e9) });
});
afterEach(async () => {
  await metrics.close();
  await plain.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Counting goes on beside the work. */
async function counted(): Promise<Sample[]> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  return parseSamples(await metrics.text());
}

test('what an attempt came to counts once, whoever reports or recovers it how often', async () => {
  const attemptId = await reserve(store, key);
  for (let time = 0; time < 3; time += 1) await store.reportAttempt(key, attemptId, replied(70));
  // Another process recovers it, and a frozen sender reports it late.
  const other = meteredStore(plain, metrics);
  expect(await other.getAttempt(key, attemptId)).toMatchObject({ outcome: { type: 'reply' } });
  await other.reportAttempt(key, attemptId, lost);
  await other.moveMoney(key, attemptId, { type: 'settle', costNanoUsd: usd(70) });
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_attempts_total')).toBe(1);
  expect(sumOf(samples, 'tollgate_attempts_total', { tollgate_attempt_outcome: 'ok', gen_ai_request_model: 'gpt-5-mini', tollgate_tenant: 'acme' })).toBe(1);
  expect(sumOf(samples, 'tollgate_cost_settled_usd_total')).toBeCloseTo(70e-9, 15);
  expect(sumOf(samples, 'tollgate_tokens_total', { tollgate_token_kind: 'cachedInput' })).toBe(40);
  expect(sumOf(samples, 'gen_ai_client_token_usage_sum', { gen_ai_token_type: 'input' })).toBe(100);
  expect(sumOf(samples, 'gen_ai_client_operation_duration_count')).toBe(1);
});

test('a reply that comes after its attempt was given up counts its tokens and its cost, and no second attempt', async () => {
  const attemptId = await reserve(store, key);
  const other = meteredStore(plain, metrics);
  await other.reportAttempt(key, attemptId, lost);
  await other.reportAttempt(key, attemptId, replied(150));
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_attempts_total', { tollgate_attempt_outcome: 'connectionLost' })).toBe(1);
  expect(sumOf(samples, 'tollgate_attempts_total')).toBe(1);
  expect(sumOf(samples, 'tollgate_cost_settled_usd_total')).toBeCloseTo(150e-9, 15);
  expect(sumOf(samples, 'tollgate_cost_overrun_usd_total')).toBeCloseTo(50e-9, 15);
  expect(sumOf(samples, 'gen_ai_client_operation_duration_count', { error_type: 'connectionLost' })).toBe(1);
});

test('fallbacks, candidates passed over, calls that do not fit, and write-offs are counted by what they are', async () => {
  await store.recordSkip({ runKey: key, attemptId: 's' as AttemptId, step: 1, ordinal: 1, model: 'gpt-5', reason: 'breakerOpen', message: 'open' });
  await store.recordSkip({ runKey: key, attemptId: 's' as AttemptId, step: 1, ordinal: 1, model: 'gpt-5', reason: 'breakerOpen', message: 'open' });
  await store.reportAttempt(key, await reserve(store, key, { ordinal: 2 }), replied(1));
  await store.reportAttempt(key, await reserve(store, key, { step: 2 }), replied(1));
  await store.reserveAttempt(newAttempt(key, { reservedNanoUsd: usd(2e9) }));
  await store.moveMoney(key, await reserve(store, key, { step: 3 }), { type: 'writeOff' }, { actor: 'a', reason: 'r' });
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_fallbacks_total')).toBe(1);
  expect(sumOf(samples, 'tollgate_candidates_skipped_total', { tollgate_skip_reason: 'breakerOpen' })).toBe(1);
  expect(sumOf(samples, 'tollgate_reservations_rejected_total', { tollgate_scope: 'run' })).toBe(1);
  expect(sumOf(samples, 'tollgate_cost_written_off_usd_total')).toBeCloseTo(100e-9, 15);
  expect(sumOf(samples, 'tollgate_cost_reserved_usd_total')).toBeCloseTo(300e-9, 15);
});

test('a gate is counted when it opens and when it ends, a decision whenever it is sent, a run and a tool call once', async () => {
  const now = Date.now();
  const gate = newGate(key, { createdAtMs: now - 30_000, expiresAtMs: now + 60_000 });
  await store.createGate(gate);
  await store.createGate(gate);
  const deny = (given: typeof gate) => ({
    gate: { ...given, status: 'denied' as const, decidedAtMs: Date.now() },
    answer: { type: 'accepted' as const, gateStatus: 'denied' as const, message: '' },
  });
  await store.decideGate(key, gate.approvalId, deny, NO_AUDIT);
  const refuse = () => ({ gate: null, answer: { type: 'refused' as const, reason: 'closed' as const, gateStatus: 'denied' as const, message: '' } });
  await store.decideGate(key, gate.approvalId, refuse, NO_AUDIT);
  const late = newGate(key, { createdAtMs: now - 100_000, expiresAtMs: now - 1 });
  await store.createGate(late);
  for (let time = 0; time < 2; time += 1) await store.closeGate(key, late.approvalId, 'expired');
  const call = newToolCall(key);
  for (let time = 0; time < 2; time += 1) await store.journalRead(call, { status: 'done', result: null, isError: true });
  for (let time = 0; time < 2; time += 1) await store.endRun(key, END, 1);
  await store.putFeedback({ runKey: key, feedbackId: 'f', step: null, scorePerMille: -500, label: 'slow', comment: null, actor: 'a' });
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_gates_opened_total', { tollgate_gate_kind: 'action' })).toBe(2);
  expect(sumOf(samples, 'tollgate_gates_ended_total', { tollgate_gate_status: 'denied' })).toBe(1);
  expect(sumOf(samples, 'tollgate_gates_ended_total', { tollgate_gate_status: 'expired' })).toBe(1);
  expect(sumOf(samples, 'tollgate_gate_wait_sum', { tollgate_gate_status: 'denied' })).toBeGreaterThan(29);
  expect(sumOf(samples, 'tollgate_decisions_total', { tollgate_decision: 'accepted' })).toBe(1);
  expect(sumOf(samples, 'tollgate_decisions_total', { tollgate_decision: 'closed' })).toBe(1);
  expect(sumOf(samples, 'tollgate_tool_calls_total', { tollgate_tool_status: 'error', gen_ai_tool_name: 'find_order' })).toBe(1);
  expect(sumOf(samples, 'tollgate_runs_ended_total', { tollgate_run_status: 'completed' })).toBe(1);
  expect(sumOf(samples, 'tollgate_feedback_total', { tollgate_feedback_label: 'slow', tollgate_feedback_verdict: 'bad' })).toBe(1);
});

test('gauges are what the store has, also without anything counted, and a store that is gone is a value', async () => {
  await plain.setQuota({ tenant: '*', feature: null, per: 'day', unit: 'nanoUsd', limit: 1_000 }, 'command');
  await plain.changeBreaker({ endpoint: 'openai', model: 'm' }, (_, nowMs) => ({ status: 'open', openedAtMs: nowMs, openForMs: 1_000, reason: 'timeout' }));
  const run = await startRun(plain);
  await plain.createGate(newGate(run, { createdAtMs: Date.now() - 60_000, expiresAtMs: Date.now() + 90_000 }));
  await reserve(plain, run);
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_store_up')).toBe(1);
  expect([sumOf(samples, 'tollgate_runs_open'), sumOf(samples, 'tollgate_runs_waiting'), sumOf(samples, 'tollgate_gates_open')]).toEqual([2, 1, 1]);
  expect(sumOf(samples, 'tollgate_gates_oldest_age')).toBeGreaterThan(59);
  expect(sumOf(samples, 'tollgate_gates_next_expiry')).toBeGreaterThan(80);
  expect(sumOf(samples, 'tollgate_held_usd')).toBeCloseTo(100e-9, 15);
  expect(sumOf(samples, 'tollgate_quota_used', { tollgate_tenant: 'acme' })).toBeCloseTo(100e-9, 15);
  expect(sumOf(samples, 'tollgate_breaker_state', { gen_ai_request_model: 'm' })).toBe(2);
  const gone = { readPulse: () => Promise.reject(new Error('gone')) } as unknown as Store;
  expect(await readStoreGauges({ ...plain, ...gone })).toEqual([{ name: 'tollgate.store.up', value: 0 }]);
});

test('a label takes a bounded number of values, every further one counts as other, and nothing is lost', async () => {
  for (let tenant = 0; tenant < 150; tenant += 1) await startRun(store, { tenant: `tenant-${tenant}` });
  const samples = await counted();
  expect(sumOf(samples, 'tollgate_runs_started_total')).toBe(151);
  expect(new Set(samples.filter(({ name }) => name === 'tollgate_runs_started_total').map(({ labels }) => labels.tollgate_tenant)).size).toBe(101);
  expect(sumOf(samples, 'tollgate_runs_started_total', { tollgate_tenant: 'other' })).toBe(51);
});

test('counting that fails changes nothing of what is written and answered', async () => {
  const broken = {
    count: () => {
      throw new Error('broken');
    },
    record: () => {
      throw new Error('broken');
    },
  } as unknown as Metrics;
  const quiet = meteredStore({ ...plain, getRun: () => Promise.reject(new Error('no')) }, broken);
  const run = await startRun(plain);
  const attemptId = await reserve(quiet, run);
  expect(await quiet.reportAttempt(run, attemptId, replied(5))).toMatchObject({ money: { settledNanoUsd: 5 } });
  expect(await quiet.endRun(run, END, 1)).toEqual(END);
  expect(await plain.getRun(run)).toMatchObject({ status: 'completed' });
});

test('every metric of the table has a name that the endpoint gives it', async () => {
  const text = await metrics.text();
  const told = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  const names = Object.keys(METRIC_TABLE).map((name) => prometheusName(name as keyof typeof METRIC_TABLE & string));
  expect(told.filter((name) => !names.includes(name ?? ''))).toEqual([]);
});
