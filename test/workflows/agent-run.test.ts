import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const call = (name: string, args: Record<string, string | number> = {}) => ({ name, arguments: args });
const scenarios = [
  {
    id: 'fallback',
    match: { system: 'FALLBACK' },
    turns: [{ text: 'from the second model', byModel: { 'gpt-5-mini': { faults: [{ type: 'serverError' as const }] } } }],
  },
  {
    id: 'refund',
    match: { system: 'REFUND' },
    turns: [
      { toolCalls: [call('look', { id: 1 }), call('look', { id: 2 })] },
      { toolCalls: [call('pay', { id: 1 })] },
      { text: 'paid', alternatives: [{ when: { lastToolResultIncludes: 'denied' }, text: 'sorry' }] },
    ],
  },
  {
    id: 'twice',
    match: { system: 'TWICE' },
    turns: [{ toolCalls: [call('pay', { id: 1 })] }, { toolCalls: [call('pay', { id: 1 })] }, { text: 'paid twice' }],
  },
  { id: 'endless', match: { system: 'ENDLESS' }, turns: [{ toolCalls: [call('look', { id: 1 })] }], repeatLast: true },
  {
    id: 'overrun',
    match: { system: 'OVERRUN' },
    turns: [{ toolCalls: [call('look', { id: 1 })], faults: [{ type: 'usageAboveBound' as const }] }, { text: 'never asked for' }],
  },
  { id: 'empty', match: { system: 'EMPTY' }, turns: [{ empty: true as const }] },
  { id: 'refusal', match: { system: 'REFUSE' }, turns: [{ refusal: 'I will not.' }] },
  { id: 'cut', match: { system: 'CUT' }, turns: [{ text: 'a', faults: [{ type: 'truncated' as const }] }] },
  {
    id: 'nonsense',
    match: { system: 'NONSENSE' },
    turns: [
      { toolCalls: [{ name: 'look', arguments: '{"id": ' }, call('noSuchTool')] },
      { text: 'understood', alternatives: [{ when: { lastToolResultIncludes: 'no tool' }, text: 'corrected' }] },
    ],
  },
  {
    id: 'costly',
    match: { system: 'COSTLY' },
    turns: [
      { toolCalls: [call('look', { id: 1 })] },
      { toolCalls: [call('look', { id: 1 })] },
      { text: 'done', alternatives: [{ when: { toolsOffered: false }, text: 'short of money' }] },
    ],
    repeatLast: false,
  },
];
const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(async () => {
  try {
    await stage.record('fallback', 'refund', 'denied', 'expired', 'twice', 'garbage', 'wrap', 'ask', 'endless');
  } finally {
    await stage.close();
  }
});

const look = (count: number) => [1, 2].flatMap((id) => Array.from({ length: count }, () => ({ name: 'look', arguments: { id }, result: { id, ok: true } })));
const pay = (count: number) => Array.from({ length: count }, () => ({ name: 'pay', arguments: { id: 1 }, result: { paid: true } }));
const tools = () => recordedTools(stage, { look: 'read', pay: 'irreversible' }, [...look(40), ...pay(3)]);

async function failureOf(promise: Promise<unknown>): Promise<{ type: string; message: string; result: AgentRunResult }> {
  const error = await promise.then(
    () => null,
    (reason: { cause: { type: string; message: string; details: [AgentRunResult] } }) => reason.cause,
  );
  if (!error) throw new Error('the run did not fail');
  return { type: error.type, message: error.message, result: error.details[0] };
}

describe('models', () => {
  test('a failing model is retried, then the next one answers; what it may have cost stays held', async () => {
    const result = (await (await stage.start({ prompt: 'FALLBACK' }, { id: 'fallback' })).result()) as AgentRunResult;
    expect(result).toMatchObject({ status: 'completed', output: 'from the second model' });
    const attempts = await stage.store.listAttempts((await stage.run('fallback')).runKey);
    expect(attempts.map(({ model, money }) => [model, money.status])).toEqual([
      ['gpt-5-mini', 'held'],
      ['gpt-5-mini', 'held'],
      ['gpt-5-nano', 'settled'],
    ]);
    expect(await stage.ledgerProblems('fallback')).toEqual([]);
  });

  test('empty replies are tried again and then the run fails with the reason; they are paid for', async () => {
    const failure = await failureOf((await stage.start({ prompt: 'EMPTY', limits: { maxAttemptsPerStep: 3 } as never }, { id: 'empty' })).result());
    expect(failure).toMatchObject({ type: 'modelChainExhausted', result: { status: 'failed' } });
    expect(await stage.bill('empty')).toBe(failure.result.ledger.settledNanoUsd);
  });

  test('a refusal ends the run without trying another model', async () => {
    const failure = await failureOf((await stage.start({ prompt: 'REFUSE' }, { id: 'refusal' })).result());
    expect(failure.type).toBe('modelRefused');
    expect(failure.message).toContain('I will not.');
    expect(await stage.store.listAttempts((await stage.run('refusal')).runKey)).toHaveLength(1);
  });

  test('a reply cut off at the token limit is not used', async () => {
    expect((await failureOf((await stage.start({ prompt: 'CUT' }, { id: 'cut' })).result())).type).toBe('outputTruncated');
  });

  test('invalid arguments and an unknown tool are answered to the model, and the run goes on', async () => {
    const result = (await (await stage.start({ prompt: 'NONSENSE', tools: (await tools()) as never }, { id: 'nonsense' })).result()) as AgentRunResult;
    expect(result).toMatchObject({ status: 'completed', output: 'corrected' });
  });

  test('endless tool calls end at maxSteps', async () => {
    const failure = await failureOf(
      (await stage.start({ prompt: 'ENDLESS', tools: (await tools()) as never, limits: { maxSteps: 4 } as never }, { id: 'endless' })).result(),
    );
    expect(failure).toMatchObject({ type: 'maxStepsReached', result: { steps: 4 } });
  });
});

describe('gates', () => {
  test('nothing irreversible runs before its approval, and exactly once after it', async () => {
    const handle = await stage.start({ prompt: 'REFUND', tools: (await tools()) as never }, { id: 'refund' });
    const gate = await stage.openGate(handle);
    const { runKey } = await stage.run('refund');
    expect((await stage.store.listToolCalls(runKey)).map((row) => row.tool)).toEqual(['look', 'look']);
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    expect((await stage.store.listToolCalls(runKey)).filter((row) => row.tool === 'pay')).toMatchObject([{ status: 'done' }]);
    const audit = await stage.store.listAudit({ runKey, limit: 100 });
    expect(audit.find((entry) => entry.type === 'decision.accepted')?.data).toMatchObject({ unverified: true });
  });

  test('a denial goes to the model with its reason, and the model acts on it', async () => {
    const handle = await stage.start({ prompt: 'REFUND', tools: (await tools()) as never }, { id: 'denied' });
    const gate = await stage.openGate(handle);
    await handle.signal('deny', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'not this customer' });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'sorry' });
    expect((await stage.store.listToolCalls((await stage.run('denied')).runKey)).filter((row) => row.tool === 'pay')).toEqual([]);
  });

  test('an expired gate denies', async () => {
    const handle = await stage.start(
      { prompt: 'REFUND', tools: (await tools()) as never, onExpired: 'endRun', gates: { irreversible: { role: 'lead', expiresAfterMs: 1_000 } } as never },
      { id: 'expired' },
    );
    expect(await handle.result()).toMatchObject({ status: 'expired' });
  });

  test('the same action asked for again meets a gate that says so, and runs once more only by its own approval', async () => {
    const handle = await stage.start({ prompt: 'TWICE', tools: (await tools()) as never }, { id: 'twice' });
    const first = await stage.openGate(handle);
    await stage.approve(handle);
    const second = await waitFor('the second gate', async () => {
      const gate = await stage.openGate(handle);
      return gate.approvalId === first.approvalId ? null : gate;
    });
    expect(second).toMatchObject({ occurrence: 1 });
    expect(second.reason).toContain('carried out exactly this action 1 time');
    expect(second.reason).toMatch(/last: done at \d{4}-.*: \{"paid":true\}/);
    await handle.signal('approve', { approvalId: second.approvalId, actionDigest: second.actionDigest });
    expect(await handle.result()).toMatchObject({ status: 'completed' });
    const keys = (await stage.store.listToolCalls((await stage.run('twice')).runKey)).map((row) => row.idempotencyKey);
    expect(new Set(keys).size).toBe(2);
  });

  test('garbage, undecodable payloads included, never fails a workflow task, and a good decision after it works', async () => {
    const handle = await stage.start({ prompt: 'REFUND', tools: (await tools()) as never }, { id: 'garbage' });
    const gate = await stage.openGate(handle);
    for (const payload of [undefined, null, 7, 'x', [], {}, { approvalId: 1 }, { approvalId: gate.approvalId, actionDigest: 'f'.repeat(64) }])
      await handle.signal('approve', payload);
    await stage.client.workflowService.signalWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: 'garbage' },
      signalName: 'approve',
      input: {
        payloads: [
          { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{not json') },
          { metadata: { encoding: Buffer.from('no/such') }, data: Buffer.from([0xff]) },
        ],
      },
    });
    await expect(handle.executeUpdate('decideApproval', { args: [{ nonsense: true }] })).rejects.toMatchObject({ cause: { type: 'malformed' } });
    await expect(
      handle.executeUpdate('decideApproval', { args: [{ approvalId: gate.approvalId, actionDigest: 'f'.repeat(64), verdict: 'approve' }] }),
    ).rejects.toMatchObject({ cause: { type: 'wrongDigest' } });
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest, signedDecision: 'forged.forged' });
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
    const { events } = await handle.fetchHistory();
    expect(events?.filter((event) => event.workflowTaskFailedEventAttributes)).toEqual([]);
  });
});

describe('budget', () => {
  const costly = async (onBudgetExhausted: 'fail' | 'wrapUp' | 'ask', budgetLimitNanoUsd: number) => ({
    prompt: 'COSTLY',
    tools: (await tools()) as never,
    onBudgetExhausted,
    budgetLimitNanoUsd,
    models: [{ model: 'gpt-5-mini' }],
  });

  test('a run whose next call may not fit stops before it is sent', async () => {
    const result = (await (await stage.start(await costly('fail', 1_600_000), { id: 'fail' })).result()) as AgentRunResult;
    expect(result.status).toBe('budgetExhausted');
    expect(await stage.ledgerProblems('fail')).toEqual([]);
  });

  test('a provider that charges beyond any honest bound: the overrun is published and blocks the next call', async () => {
    const definition = { prompt: 'OVERRUN', tools: (await tools()) as never, onBudgetExhausted: 'fail' as const, models: [{ model: 'gpt-5-mini' }] };
    const result = (await (await stage.start({ ...definition, budgetLimitNanoUsd: 3_000_000 }, { id: 'overrun' })).result()) as AgentRunResult;
    expect(result.status).toBe('budgetExhausted');
    expect(result.ledger.overrunNanoUsd).toBeGreaterThan(0);
    expect(result.ledger.settledNanoUsd).toBe(await stage.bill('overrun'));
    expect(await stage.store.listAttempts((await stage.run('overrun')).runKey)).toHaveLength(1);
    expect(await stage.ledgerProblems('overrun')).toEqual([]);
    // The bound of the model has learnt from it; the runs that follow are about the plain one.
    expect(await stage.store.resetBoundFactor('gpt-5-mini', 'simulated', { actor: 'tester' })).toBe(true);
  });

  test('a run that wraps up gives a last answer within its budget', async () => {
    const result = (await (await stage.start(await costly('wrapUp', 3_200_000), { id: 'wrap' })).result()) as AgentRunResult;
    expect(result).toMatchObject({ status: 'budgetExhausted', output: 'short of money' });
    expect(await stage.ledgerProblems('wrap')).toEqual([]);
  });

  test('a run that asks goes on with what a person grants', async () => {
    const handle = await stage.start(await costly('ask', 1_600_000), { id: 'ask' });
    const gate = await stage.openGate(handle);
    expect(gate).toMatchObject({ kind: 'budget', tool: 'tollgate.raiseBudget' });
    for (let asked = 0; asked < 5; asked += 1) {
      await stage.approve(handle);
      const ended = await Promise.race([handle.result(), new Promise((resolve) => setTimeout(() => resolve(null), 2_000))]);
      if (ended) break;
    }
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'done' });
    expect(await stage.ledgerProblems('ask')).toEqual([]);
  });
});
