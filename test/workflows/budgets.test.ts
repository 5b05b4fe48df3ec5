import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { BREAKER_LIMITS, type BreakerState, CLOSED } from '../../domain/model/breaker.ts';
import { reportRun } from '../../client/run-report.ts';
import { newAttempt, startRun, usd } from '../support/store-contract/fixtures.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const look = { name: 'look', arguments: { id: 1 } };
const down = [{ type: 'serverError' as const }];
const scenarios = [
  { id: 'hello', match: { system: 'HELLO' }, turns: [{ text: 'hello' }] },
  { id: 'steps', match: { system: 'STEPS' }, turns: [{ toolCalls: [look] }, { text: 'done' }] },
  { id: 'slow', match: { system: 'SLOW' }, turns: [{ toolCalls: [look], faults: [{ type: 'slow' as const, delayMs: 400 }] }], repeatLast: true },
  { id: 'mini-down', match: { system: 'MINI DOWN' }, turns: [{ text: 'from nano', byModel: { 'gpt-5-mini': { faults: down } } }] },
  { id: 'all-down', match: { system: 'ALL DOWN' }, turns: [{ text: 'never', faults: down }] },
  { id: 'back', match: { system: 'BACK SOON' }, turns: [{ text: 'back', faults: [{ type: 'serverError' as const, attempt: [1, 2] }] }] },
];
const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(async () => {
  try {
    await stage.record('quota-wait', 'ask-tokens', 'skips', 'by-hand', 'waits');
  } finally {
    await stage.close();
  }
});
afterEach(async () => {
  for (const { quotaId } of await stage.store.listQuotas()) await stage.store.removeQuota(quotaId);
  for (const breaker of await stage.store.listBreakers()) await stage.store.changeBreaker(breaker, () => CLOSED);
});

const oneModel = { models: [{ model: 'gpt-5-mini' }] };
const limits = (change: object) => ({ limits: change as never });
const resultOf = async (id: string, definition: Parameters<Stage['start']>[0]) => (await (await stage.start(definition, { id })).result()) as AgentRunResult;
const report = async (id: string) => reportRun(stage.store, await stage.run(id));
const tools = async () => ({
  tools: (await recordedTools(
    stage,
    { look: 'read' },
    Array.from({ length: 40 }, () => ({ ...look, result: { ok: true } })),
  )) as never,
});
const quota = (limit: number, unit: 'nanoUsd' | 'tokens' = 'nanoUsd') =>
  stage.store.setQuota({ tenant: 'acme', feature: null, per: 'month', unit, limit }, 'command');
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: { cause: { type: string; message: string } }) => error.cause,
  );

describe('quotas', () => {
  test('a call that a quota denies waits while calls in flight hold what is missing, and then goes on', async () => {
    const { quotaId } = await quota(50_000_000);
    const other = await startRun(stage.store, { limitNanoUsd: usd(1_000_000_000) });
    const held = newAttempt(other, { reservedNanoUsd: usd(50_000_000) });
    await stage.store.reserveAttempt(held);
    const handle = await stage.start({ prompt: 'HELLO', ...oneModel }, { id: 'quota-wait' });
    await waitFor('a denial', async () => (await stage.store.latestRun('quota-wait' as never)) && (await report('quota-wait')).skipped?.[0]);
    expect(await stage.store.listAttempts((await stage.run('quota-wait')).runKey)).toEqual([]);
    await stage.store.moveMoney(other, held.attemptId, { type: 'release' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'hello' });
    const [window] = await stage.store.listQuotaWindows({ quotaId, limit: 1 });
    expect(window?.totals).toMatchObject({ settledNanoUsd: await stage.bill('quota-wait'), heldNanoUsd: 0 });
  });

  test('a run that is not to wait ends, and says which quota it was and when it frees', async () => {
    await quota(500, 'tokens');
    const result = await resultOf('quota-fail', { prompt: 'HELLO', onQuotaDenied: 'fail' });
    expect(result).toMatchObject({ status: 'budgetExhausted', exhausted: 'quota', output: null });
    expect(result.message).toMatch(/take \d+ tokens, which is more than is left of the quota "tenant acme: 500 tokens a month"/);
    expect((await report('quota-fail')).skipped).toMatchObject([
      { model: 'gpt-5-mini', reason: 'quotaDenied' },
      { model: 'gpt-5-nano', reason: 'quotaDenied' },
    ]);
    expect(stage.billLines().length).toBeGreaterThan(0);
    expect(await stage.bill('quota-fail')).toBe(0);
  });

  test('a quota that has room for a cheaper model only is answered by that one', async () => {
    await quota(400_000);
    expect(await resultOf('cheaper', { prompt: 'HELLO' })).toMatchObject({ status: 'completed', output: 'hello' });
    const { attempts, skipped } = await report('cheaper');
    expect(attempts.map(({ model }) => model)).toEqual(['gpt-5-nano']);
    expect(skipped).toMatchObject([{ step: 1, model: 'gpt-5-mini', reason: 'quotaDenied' }]);
  });
});

describe('tokens and time', () => {
  test('a run that is short of tokens asks for more, is given them, and goes on', async () => {
    const handle = await stage.start(
      { prompt: 'STEPS', ...(await tools()), ...oneModel, budgetLimitTokens: 1_300, raiseByTokens: 5_000, onBudgetExhausted: 'ask' },
      { id: 'ask-tokens' },
    );
    const gate = await stage.openGate(handle);
    expect(gate).toMatchObject({ kind: 'budget', arguments: { amountNanoUsd: 0, amountTokens: 5_000, newLimitTokens: 6_300 } });
    expect(gate.reason).toMatch(/Of 1300 tokens, \d+ are used and 0 are held/);
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'done' });
    expect((await report('ask-tokens')).tokens).toMatchObject({ limit: 6_300, held: 0 });
    expect(await stage.ledgerProblems('ask-tokens')).toEqual([]);
  });

  test('a run without enough tokens for its first call ends as such', async () => {
    expect(await resultOf('no-tokens', { prompt: 'HELLO', ...oneModel, budgetLimitTokens: 100 })).toMatchObject({
      status: 'budgetExhausted',
      exhausted: 'tokens',
    });
    expect(await stage.bill('no-tokens')).toBe(0);
  });

  test('a run that takes too long ends with its reason; what it waits for people does not count', async () => {
    const failure = await failureOf(resultOf('too-long', { prompt: 'SLOW', ...(await tools()), ...oneModel, ...limits({ maxDurationMs: 1_000 }) }));
    expect(failure).toMatchObject({ type: 'timeLimitReached', message: expect.stringContaining('1 s') });
    expect((await report('too-long')).attempts.length).toBeLessThan(6);
    const handle = await stage.start(
      {
        prompt: 'STEPS',
        ...(await tools()),
        ...oneModel,
        budgetLimitTokens: 1_300,
        raiseByTokens: 5_000,
        onBudgetExhausted: 'ask',
        ...limits({ maxDurationMs: 4_000 }),
      },
      { id: 'long-wait' },
    );
    await stage.openGate(handle);
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });
});

describe('the circuit breaker', () => {
  const key = { endpoint: 'simulated', model: 'gpt-5-mini' };

  test('a model that fails again and again is left alone by every run, and taken back when a probe is answered', { timeout: 60_000 }, async () => {
    // Calls of this model that went well count too, so that it takes as many failures.
    for (let run = 1; (await stage.store.readBreaker(key)).state.status === 'closed' && run <= 10; run += 1)
      expect(await resultOf(`down-${run}`, { prompt: 'MINI DOWN' })).toMatchObject({ output: 'from nano' });
    expect((await stage.store.readBreaker(key)).state).toMatchObject({ status: 'open', reason: 'serverError' });

    expect(await resultOf('skips', { prompt: 'MINI DOWN' })).toMatchObject({ status: 'completed', output: 'from nano' });
    const skips = await report('skips');
    expect(skips.attempts.map(({ model }) => model)).toEqual(['gpt-5-nano']);
    expect(skips.skipped).toMatchObject([{ step: 1, model: 'gpt-5-mini', reason: 'breakerOpen', message: expect.stringContaining('left alone') }]);

    const past: BreakerState = {
      status: 'open',
      openedAtMs: Date.now() - BREAKER_LIMITS.openForMs,
      openForMs: BREAKER_LIMITS.openForMs,
      reason: 'serverError',
    };
    await stage.store.changeBreaker(key, () => past);
    expect(await resultOf('probe-fails', { prompt: 'MINI DOWN' })).toMatchObject({ output: 'from nano' });
    expect((await stage.store.readBreaker(key)).state).toMatchObject({ status: 'open', openForMs: 2 * BREAKER_LIMITS.openForMs });
    await stage.store.changeBreaker(key, () => past);
    expect(await resultOf('probe-answers', { prompt: 'HELLO' })).toMatchObject({ output: 'hello' });
    expect((await stage.store.readBreaker(key)).state.status).toBe('closed');
  });

  test('where every model is left alone, the run waits for the one that is free soonest', async () => {
    const free: BreakerState = { status: 'open', openedAtMs: Date.now(), openForMs: 2_000, reason: 'timeout' };
    await stage.store.changeBreaker(key, () => free);
    const before = Date.now();
    expect(await resultOf('waits-for-breaker', { prompt: 'HELLO', ...oneModel })).toMatchObject({ status: 'completed' });
    expect(Date.now() - before).toBeGreaterThan(1_500);
    const { attempts, skipped } = await report('waits-for-breaker');
    expect([attempts.length, skipped?.length]).toEqual([1, 1]);
  });
});

describe('when no model answers', () => {
  const allDown = { prompt: 'ALL DOWN', ...oneModel, ...limits({ maxAttemptsPerStep: 2 }) };

  test('the run fails, unless the task says otherwise', async () => {
    expect(await failureOf(resultOf('down-fail', allDown))).toMatchObject({ type: 'modelChainExhausted' });
  });

  test('a plain message is an answer, and says that it is none of a model', async () => {
    const result = await resultOf('down-message', { ...allDown, onModelsUnavailable: 'message', unavailableMessage: 'Come back at noon.' });
    expect(result).toMatchObject({ status: 'failed', failureType: 'modelsUnavailable', output: 'Come back at noon.' });
    expect(await report('down-message')).toMatchObject({ status: 'failed', failureType: 'modelsUnavailable', output: 'Come back at noon.' });
    expect(await stage.ledgerProblems('down-message')).toEqual([]);
  });

  test('a person gives the answer by hand', async () => {
    const handle = await stage.start({ ...allDown, onModelsUnavailable: 'person' }, { id: 'by-hand' });
    const gate = await stage.openGate(handle);
    expect(gate).toMatchObject({ kind: 'unavailable', tool: 'tollgate.takeOver', arguments: { models: ['gpt-5-mini'] } });
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, comment: 'Your order is on its way.' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'Your order is on its way.', message: expect.stringContaining('by hand') });
    expect((await stage.store.findGate(gate.approvalId))?.status).toBe('consumed');
    expect(await report('by-hand')).toMatchObject({ status: 'completed', output: 'Your order is on its way.' });
  });

  test('a person has the models tried again, or leaves it at that', async () => {
    const handle = await stage.start({ ...allDown, prompt: 'BACK SOON', onModelsUnavailable: 'person' }, { id: 'retry' });
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'back' });
    const denied = await stage.start({ ...allDown, onModelsUnavailable: 'person' }, { id: 'left' });
    const gate = await stage.openGate(denied);
    await denied.signal('deny', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'no' });
    expect(await failureOf(denied.result())).toMatchObject({ type: 'modelsUnavailable', message: expect.stringContaining('a person decided') });
  });

  test('an answer by hand that breaks the output schema is asked for again', async () => {
    const outputSchema = { type: 'object', properties: { total: { type: 'number' } }, required: ['total'], additionalProperties: false };
    const handle = await stage.start({ ...allDown, onModelsUnavailable: 'person', outputSchema }, { id: 'bad-hand' });
    const gate = await stage.openGate(handle);
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, comment: 'about seven' });
    const again = await waitFor('the next gate', async () => {
      const next = await stage.openGate(handle);
      return next.approvalId === gate.approvalId ? null : next;
    });
    expect(again.reason).toContain('does not fit');
    await handle.signal('approve', { approvalId: again.approvalId, actionDigest: again.actionDigest, comment: '{"total": 7}' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: '{"total": 7}' });
  });

  test('the run waits for the models, for as long as the task allows', { timeout: 40_000 }, async () => {
    expect(await resultOf('waits', { ...allDown, prompt: 'BACK SOON', onModelsUnavailable: 'wait' })).toMatchObject({ status: 'completed', output: 'back' });
    const failure = await failureOf(
      resultOf('waits-in-vain', { ...allDown, onModelsUnavailable: 'wait', ...limits({ maxAttemptsPerStep: 2, maxUnavailableWaitMs: 3_000 }) }),
    );
    expect(failure).toMatchObject({ type: 'modelsUnavailable', message: expect.stringContaining('as long as the task allows') });
  });
});
