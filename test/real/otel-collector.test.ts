import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttemptRecord, RunRecord } from '../../domain/store/port.ts';
import { GEN_AI, TOLLGATE } from '../../telemetry/names.ts';
import { spanIdOf, traceOf } from '../../telemetry/trace-ids.ts';
import { Collector, findCollector } from '../support/collector.ts';
import { findLiteLlm, type LiteLlmProxy } from '../support/litellm.ts';
import { type CapturedSpan, sumOf, traceProblems } from '../support/otlp-capture.ts';
import { type BillLine, Stage } from '../support/stage.ts';
import { gatewayCalls, startTracedGateway } from '../support/traced/gateway.ts';
import { CALLER, playTracedRuns, SCENARIOS } from '../support/traced/play.ts';
import { waitFor } from '../support/wait-for.ts';

const [collectorFound, gatewayFound] = [await findCollector(), await findLiteLlm()];
const missing = [collectorFound, gatewayFound].flatMap((found) => ('missing' in found ? [found.missing] : []));
if (missing.length > 0) process.stdout.write(`skipped: traces at a real OpenTelemetry Collector and a LiteLLM proxy, because ${missing.join('; ')}\n`);

const CONFIG = fileURLToPath(new URL('../support/traced/tollgate.config.ts', import.meta.url));
const isOurs = ({ resource }: CapturedSpan) => resource['service.name'] === 'tollgate';
const isCall = ({ name }: CapturedSpan) => name.startsWith('chat ');

describe.skipIf(missing.length > 0)('at a real OpenTelemetry Collector, with LiteLLM before the provider and a worker killed in a call', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-traced-'));
  let stage: Stage;
  let collector: Collector;
  let proxy: LiteLlmProxy;
  let runs: readonly RunRecord[];
  let attempts: readonly AttemptRecord[];
  /** Ours and the gateway's. A span that was sent twice in the same words is one. */
  let spans: readonly CapturedSpan[];
  let ours: readonly CapturedSpan[];

  beforeAll(async () => {
    if ('missing' in collectorFound || 'missing' in gatewayFound) return;
    collector = await new Collector(collectorFound.bin).start();
    stage = new Stage({
      TOLLGATE_CONFIG: CONFIG,
      OPENAI_API_KEY: 'unused',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
      TOLLGATE_SIMULATED_URL: '',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    });
    await stage.open({ scenarios: SCENARIOS, workers: 0 });
    proxy = await startTracedGateway(gatewayFound, stage.providerUrl, collector.url, folder);
    const variables = { TRACED_GATEWAY_URL: proxy.url, TRACED_GATEWAY_KEY: proxy.key, TRACED_PROVIDER_URL: stage.providerUrl };
    await Promise.all([stage.startWorker(variables), stage.startWorker(variables)]);
    await playTracedRuns(stage);
    runs = await stage.store.listRuns({ limit: 100 });
    attempts = (await Promise.all(runs.map(({ runKey }) => stage.store.listAttempts(runKey)))).flat();
    await waitFor('everything sent', async () => (await stage.store.listSinks()).every(({ pending }) => pending === 0), 60_000);
    await proxy.close();
    await collector.stop();
    const words = new Map(collector.spans.map((span) => [JSON.stringify(span), span]));
    spans = [...words.values()];
    ours = spans.filter(isOurs);
  }, 300_000);
  afterAll(async () => {
    await stage?.close();
    await proxy?.close();
    await collector?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const top = () => runs.filter(({ parentRunKeys }) => parentRunKeys.length === 0);
  const lines = (attemptId: string): readonly BillLine[] => stage.billLines().filter(({ clientRequestId }) => clientRequestId === attemptId);
  const billOf = (of: readonly AttemptRecord[]) => of.flatMap(({ attemptId }) => lines(attemptId)).reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
  const answered = () => attempts.filter(({ outcome, endpoint }) => outcome?.type === 'reply' && endpoint === 'gateway');
  const ofAttempt = (attemptId: string) => ours.filter(({ attributes }) => attributes[TOLLGATE.attemptId] === attemptId);

  test('every run is in one trace with one root and no orphan; children are in that of their parent, and all generations of a run in one', async () => {
    expect(
      top()
        .map(({ runKey }) => runKey.agentRunId)
        .toSorted(),
    ).toEqual(['called', 'family', 'killed', 'long', 'lost', 'rounds']);
    expect(new Set(ours.map(({ traceId }) => traceId)).size).toBe(6);
    for (const run of top()) {
      const { traceId, parentSpanId } = traceOf(run);
      const trace = ours.filter((span) => span.traceId === traceId);
      expect([run.runKey.agentRunId, traceProblems(trace, parentSpanId)]).toEqual([run.runKey.agentRunId, []]);
      const root = trace.filter((span) => span.parentSpanId === parentSpanId);
      expect(root.map(({ attributes }) => attributes[TOLLGATE.agentRunId])).toEqual([run.runKey.agentRunId]);
    }
    const [family] = top().filter(({ runKey }) => runKey.agentRunId === 'family');
    if (!family) throw new Error('there is a family');
    const roots = ours.filter(({ parentSpanId }) => parentSpanId === spanIdOf(family.runKey, { type: 'run' }));
    expect(roots.map(({ name }) => name).toSorted()).toEqual(['invoke_agent desk', 'invoke_agent waiter']);
    const executions = await generationsOf(stage, 'long');
    expect(executions).toBeGreaterThan(1);
    expect(await generationsOf(stage, 'rounds')).toBeGreaterThan(1);
    expect(ours.filter(({ name, attributes }) => name === 'execute_tool note' && attributes[TOLLGATE.agentRunId] === 'long')).toHaveLength(9);
  });

  test('every attempt, tool call and gate is one span, also where a worker died in the middle', async () => {
    const ids = ours.filter(isCall).map(({ attributes }) => String(attributes[TOLLGATE.attemptId]));
    expect(ids.toSorted()).toEqual(attempts.map(({ attemptId }) => String(attemptId)).toSorted());
    const calls = (await Promise.all(runs.map(({ runKey }) => stage.store.listToolCalls(runKey)))).flat();
    const keys = ours.filter(({ name }) => name.startsWith('execute_tool ')).map(({ attributes }) => String(attributes[TOLLGATE.callKey]));
    expect(keys.toSorted()).toEqual(calls.map(({ callKey }) => String(callKey)).toSorted());
    const gates = (await Promise.all(runs.map(({ runKey }) => stage.store.listGates({ runKey, limit: 100 })))).flat();
    expect(gates).toHaveLength(2);
    const approvals = ours.filter(({ name }) => name === 'gate pay').map(({ attributes }) => String(attributes[TOLLGATE.approvalId]));
    expect(approvals.toSorted()).toEqual(gates.map(({ approvalId }) => String(approvalId)).toSorted());
    // The lost call of the killed worker, and the one that was made instead.
    const killed = ours.filter((span) => isCall(span) && span.attributes[TOLLGATE.agentRunId] === 'killed' && span.attributes[TOLLGATE.step] === 2);
    expect(killed.map(({ attributes }) => attributes[TOLLGATE.outcome]).toSorted()).toEqual(['connectionLost', 'ok']);
    // Fallbacks and retries are what they were.
    const kinds = (agentRunId: string) => ours.filter((span) => isCall(span) && span.attributes[TOLLGATE.agentRunId] === agentRunId);
    expect(kinds('called').map(({ attributes }) => attributes[TOLLGATE.tryKind])).toContain('fallback');
    expect(kinds('long').map(({ attributes }) => attributes[TOLLGATE.tryKind])).toContain('retry');
  });

  test("sums of tokens and cost are the provider's bill; what is not known of it is marked as held", () => {
    for (const { attemptId, money } of attempts) {
      const own = ofAttempt(attemptId);
      const [call] = own.filter(isCall);
      if (money.status === 'held' || money.status === 'writtenOff') {
        expect(call?.attributes).toMatchObject({ [TOLLGATE.costStatus]: 'held' });
        expect(Number(call?.attributes[TOLLGATE.costHeldNanoUsd])).toBeGreaterThanOrEqual(lines(attemptId).reduce((sum, { nanoUsd }) => sum + nanoUsd, 0));
        expect(own.some(({ attributes }) => GEN_AI.cost in attributes)).toBe(false);
        continue;
      }
      const billed = lines(attemptId);
      const bill = (pick: (line: BillLine) => number) => billed.reduce((sum, line) => sum + pick(line), 0);
      expect([attemptId, sumOf(own, TOLLGATE.costSettledNanoUsd)]).toEqual([attemptId, bill(({ nanoUsd }) => nanoUsd)]);
      expect(Math.round(sumOf(own, GEN_AI.cost) * 1e9)).toBe(bill(({ nanoUsd }) => nanoUsd));
      expect(sumOf(own, GEN_AI.inputTokens)).toBe(bill(({ inputTokens }) => inputTokens));
      expect(sumOf(own, GEN_AI.outputTokens)).toBe(bill(({ outputTokens }) => outputTokens));
    }
    const open = attempts.filter(({ money: { status } }) => status === 'held' || status === 'writtenOff');
    expect(open.length).toBeGreaterThanOrEqual(3);
    const all = ours.filter(({ attributes }) => TOLLGATE.attemptId in attributes);
    expect(sumOf(all, TOLLGATE.costSettledNanoUsd)).toBe(billOf(attempts) - billOf(open));
    expect(sumOf(all, TOLLGATE.costSettledNanoUsd)).toBeGreaterThan(0);
    // One was settled by the provider's record after its span, and one was written off.
    const late = ours.filter(({ name }) => name.startsWith('settle '));
    expect(late.map(({ attributes }) => attributes[TOLLGATE.costStatus]).toSorted()).toEqual(['settled', 'writtenOff']);
  });

  test("a caller's trace goes through the run to the gateway, whose own spans hang below our calls", () => {
    const called = spans.filter(({ traceId }) => traceId === CALLER.traceId);
    expect(called.filter(({ parentSpanId }) => parentSpanId === CALLER.spanId).map(({ name }) => name)).toEqual(['invoke_agent desk']);
    for (const attempt of answered()) {
      const [call] = ofAttempt(attempt.attemptId).filter(isCall);
      const below = spans.filter(({ parentSpanId, traceId }) => parentSpanId === call?.spanId && traceId === call.traceId);
      expect(below.every((span) => !isOurs(span))).toBe(true);
      const [theirs] = below.filter(({ name }) => name === 'Received Proxy Server Request');
      // It counts what we count.
      const [request] = spans.filter(({ parentSpanId, name }) => parentSpanId === theirs?.spanId && name === 'litellm_request');
      expect(request?.attributes[GEN_AI.inputTokens]).toBe(attempt.usage?.inputTokens);
      expect(Math.round(Number(request?.attributes['gen_ai.cost.total_cost']) * 1e9)).toBe(attempt.money.settledNanoUsd);
    }
  });

  test('the gateway knows of each call whom it was for, by the headers that it takes', () => {
    const calls = gatewayCalls(folder);
    const idsOf = (of: readonly { readonly attemptId: unknown }[]) => of.map(({ attemptId }) => String(attemptId)).toSorted();
    // It may have answered one more: to the worker that was dead by then.
    const known = calls.filter(({ spend_logs_metadata }) => answered().some(({ attemptId }) => attemptId === spend_logs_metadata.attemptId));
    expect(idsOf(known.map(({ spend_logs_metadata }) => ({ attemptId: spend_logs_metadata.attemptId })))).toEqual(idsOf(answered()));
    for (const { request_tags, end_user, trace_id, spend_logs_metadata } of calls) {
      const run = runs.find(({ runKey }) => runKey.agentRunId === spend_logs_metadata.agentRunId);
      if (!run) throw new Error('it names a run');
      expect(request_tags).toEqual(expect.arrayContaining([`task:${run.task}`, `tenant:${run.tenant}`, `feature:${run.feature}`]));
      expect([end_user, trace_id]).toEqual(['alice', (run.parentRunKeys.at(-1) ?? run.runKey).agentRunId]);
    }
  });
});

async function generationsOf(stage: Stage, workflowId: string): Promise<number> {
  const executions: string[] = [];
  for await (const { runId } of stage.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) executions.push(runId);
  return executions.length;
}
