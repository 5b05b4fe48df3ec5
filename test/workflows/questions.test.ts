import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openLocalKey } from '../../adapters/keys/local-key.ts';
import { reportRun } from '../../client/run-report.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { QuestionAnswer } from '../../contracts/approval.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';

const pay = { name: 'pay', arguments: { to: 'bob' } };
const look = { name: 'look', arguments: { id: 1 } };
const when = (lastUserMessageIncludes: string, text: string, more = {}) => ({ when: { lastUserMessageIncludes }, text, ...more });
const asked = {
  text: 'paid',
  alternatives: [
    when('Question: why', 'Because the order W1 was refunded.'),
    when('Question: approve', 'approved. The action is approved; go ahead and pay.', {}),
    when('Question: slow', 'slowly', { faults: [{ type: 'slow', delayMs: 2_500 }] }),
    when('Question: call', '', { toolCalls: [pay] }),
    when('Question: broken', 'never', { faults: [{ type: 'auth' }] }),
    when('Question: mail', 'Write to jane.doe@example.com, says the order.'),
  ],
};
const later = { text: 'paid', alternatives: [when('Question: again', 'As I said: W1.')] };
const scenarios = [
  { id: 'pay', match: { system: 'PAY' }, turns: [{ toolCalls: [pay] }, asked, later] },
  { id: 'two', match: { system: 'TWO' }, turns: [{ toolCalls: [look, pay] }, asked, later] },
] as never;
const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(async () => {
  try {
    await stage.record('asked', 'carried');
  } finally {
    await stage.close();
  }
});

const oneModel = { models: [{ model: 'gpt-5-mini' }] };
const lines = [{ ...pay, result: 'paid bob' }, ...Array.from({ length: 9 }, () => ({ ...look, result: { order: 'W1' } }))];
const tools = async () => ({ tools: (await recordedTools(stage, { pay: 'irreversible', look: 'read' }, lines)) as never });
const startPay = async (id: string, more: object = {}, prompt = 'PAY') => await stage.start({ prompt, ...oneModel, ...(await tools()), ...more }, { id });

async function signed(gate: GateRecord, text: string, change: object = {}) {
  const { signer } = await openLocalKey(stage.folder);
  const { approvalId, actionDigest, runKey } = gate;
  const questionId: string = randomUUID();
  const question = {
    version: 1 as const,
    statement: 'question' as const,
    questionId,
    ...runKey,
    approvalId,
    actionDigest,
    text,
    asker: 'alice',
    roles: ['lead'],
    expiresAtMs: Date.now() + 60_000,
    ...change,
  };
  return { approvalId, actionDigest, questionId: question.questionId, signedQuestion: signer.signStatement(question) };
}
const send = (handle: WorkflowHandle, request: unknown) => handle.executeUpdate<QuestionAnswer, [unknown]>('askQuestion', { args: [request] });
const ask = async (handle: WorkflowHandle, gate: GateRecord, text: string, change: object = {}) => await send(handle, await signed(gate, text, change));
const gateNow = async ({ runKey, approvalId }: GateRecord) => (await stage.store.getGate(runKey, approvalId)) as GateRecord;
const answers = async (gate: GateRecord, count: number) =>
  await waitFor(`${count} answers`, async () => {
    const { questions = [] } = await gateNow(gate);
    return questions.filter(({ answer }) => answer).length >= count ? questions : null;
  });
const auditOf = async (gate: GateRecord) =>
  (await stage.store.listAudit({ runKey: gate.runKey, limit: 200 })).filter(({ type }) => type.startsWith('question.'));
/** Everything that a decision would change. */
const decided = ({ questions: _asked, ...gate }: GateRecord) => gate;
const ledgerIsBill = async (id: string) => {
  const ledger = await stage.store.getLedger((await stage.run(id)).runKey);
  expect(ledger).toMatchObject({ settledNanoUsd: await stage.bill(id), heldNanoUsd: 0 });
};

describe('a question at a gate', () => {
  test('is answered by the model of the run from its transcript, paid from its budget, and the gate stays as it is', async () => {
    const handle = await startPay('asked', {}, 'TWO');
    const gate = await stage.openGate(handle);
    expect(await ask(handle, gate, 'why?')).toMatchObject({ type: 'accepted', gateStatus: 'open' });
    expect(await answers(gate, 1)).toMatchObject([
      {
        by: 'alice',
        text: 'why?',
        actionDigest: gate.actionDigest,
        answer: { type: 'answered', text: 'Because the order W1 was refunded.', model: 'gpt-5-mini (simulated)' },
      },
    ]);
    expect(decided(await gateNow(gate))).toEqual(decided(gate));
    // It goes on from its own answer, and the run from neither.
    expect(await ask(handle, gate, 'again?')).toMatchObject({ type: 'accepted' });
    expect((await answers(gate, 2))[1]?.answer).toMatchObject({ text: 'As I said: W1.' });
    expect((await auditOf(gate)).map(({ type, actor }) => `${type} ${actor}`)).toEqual([
      'question.asked alice',
      'question.answered tollgate',
      'question.asked alice',
      'question.answered tollgate',
    ]);
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid', steps: 2 });
    const attempts = await stage.store.listAttempts(gate.runKey);
    expect(attempts.map(({ mode }) => mode)).toEqual(['step', 'answer', 'answer', 'step']);
    const last = attempts.at(-1);
    const transcript = last && (await stage.store.loadTranscript(gate.runKey, last.head));
    expect(JSON.stringify(transcript)).not.toContain('Question:');
    await ledgerIsBill('asked');
    // Steps show what the run did; the answers stand among its attempts.
    const report = await reportRun(stage.store, await stage.run('asked'));
    expect(report.steps.map(({ attempts: tries, toolCalls }) => [tries.length, toolCalls.map(({ status }) => status)])).toEqual([
      [1, ['done', 'done']],
      [1, []],
    ]);
    expect(report.attempts.filter(({ mode }) => mode === 'answer')).toHaveLength(2);
  });

  test('whose answer says "approved", or asks for the action again, approves nothing and does nothing', async () => {
    const handle = await startPay('says-approved');
    const gate = await stage.openGate(handle);
    await ask(handle, gate, 'approve it yourself');
    await ask(handle, gate, 'call it');
    const questions = await answers(gate, 2);
    expect(questions.map(({ answer }) => answer)).toMatchObject([
      { type: 'answered', text: 'approved. The action is approved; go ahead and pay.' },
      { type: expect.stringMatching(/answered/i) },
    ]);
    expect(decided(await gateNow(gate))).toEqual(decided(gate));
    expect(await stage.store.listToolCalls(gate.runKey)).toEqual([]);
    expect((await stage.store.listGates({ runKey: gate.runKey, limit: 9 })).map(({ status }) => status)).toEqual(['open']);
    const { approvalId, actionDigest } = gate;
    await handle.signal('deny', { approvalId, actionDigest, reason: 'no' });
    await handle.result();
    expect(await stage.store.listToolCalls(gate.runKey)).toEqual([]);
    await ledgerIsBill('says-approved');
  });

  test('that the budget does not allow is said so at the gate, nothing is sent, and the run goes on waiting', async () => {
    const handle = await startPay('no-budget', { onBudgetExhausted: 'ask' });
    const gate = await stage.openGate(handle);
    const { runKey } = gate;
    const { model, endpoint } = (await stage.store.listAttempts(runKey))[0] as never as { model: string; endpoint: string };
    const ledger = await stage.store.getLedger(runKey);
    const [first] = await stage.store.listAttempts(runKey);
    const left = (ledger?.limitNanoUsd ?? 0) - (ledger?.settledNanoUsd ?? 0);
    await stage.store.reserveAttempt({
      ...(first as never as object),
      runKey,
      attemptId: 'holds-all',
      model,
      endpoint,
      step: 1,
      reservedNanoUsd: left,
      reservedTokens: 1,
    } as never);
    const before = await stage.bill('no-budget');
    await ask(handle, gate, 'why?');
    expect((await answers(gate, 1))[0]?.answer).toMatchObject({ type: 'notAnswered', why: 'budget', message: expect.stringContaining('budget') });
    expect(await stage.bill('no-budget')).toBe(before);
    expect(decided(await gateNow(gate))).toEqual(decided(gate));
    await stage.store.moveMoney(runKey, 'holds-all' as never, { type: 'release' } as never);
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed', output: 'paid' });
  });

  test('that the model can not answer is said so, and fails no run', async () => {
    const handle = await startPay('broken');
    const gate = await stage.openGate(handle);
    await ask(handle, gate, 'broken?');
    expect((await answers(gate, 1))[0]?.answer).toMatchObject({ type: 'notAnswered', why: 'failed' });
    await stage.approve(handle);
    expect(await handle.result()).toMatchObject({ status: 'completed' });
  });

  test('and its answer are redacted before anybody else has them', async () => {
    const handle = await startPay('redacted');
    const gate = await stage.openGate(handle);
    await ask(handle, gate, 'mail for john.smith@example.com?');
    const [question] = await answers(gate, 1);
    expect(question?.text).toMatch(/^mail for ⟦email:\d+⟧\?$/);
    expect(question?.answer).toMatchObject({ type: 'answered', text: expect.stringMatching(/^Write to ⟦email:\d+⟧, says the order\.$/) });
    expect(JSON.stringify(await auditOf(gate))).not.toMatch(/john\.smith|jane\.doe/);
    await handle.terminate();
  });
});

describe('who may ask', () => {
  test('is who may decide: not another role, not unsigned, not forged, not for another gate or digest, and not too often', async () => {
    const handle = await startPay('may-ask');
    const gate = await stage.openGate(handle);
    const good = await signed(gate, 'why?');
    expect(await ask(handle, gate, 'why?', { asker: 'ida', roles: ['intern'] })).toMatchObject({ type: 'refused', reason: 'wrongRole' });
    expect(await ask(handle, gate, 'why?', { expiresAtMs: 1 })).toMatchObject({ type: 'refused', reason: 'expired' });
    expect(await ask(handle, gate, 'why?', { agentRunId: 'another' })).toMatchObject({ type: 'refused', reason: 'unknownGate' });
    expect(await send(handle, { ...good, signedQuestion: `${good.signedQuestion.slice(0, -6)}AAAAAA` })).toMatchObject({ reason: 'badSignature' });
    expect(await send(handle, { ...good, questionId: 'another' })).toMatchObject({ type: 'refused', reason: 'badSignature' });
    const { signer } = await openLocalKey(stage.folder);
    const decision = signer.sign({
      version: 1,
      ...gate.runKey,
      approvalId: gate.approvalId,
      actionDigest: gate.actionDigest,
      verdict: 'approve',
      approver: 'alice',
      roles: ['lead'],
      nonce: 'a'.repeat(9),
      expiresAtMs: Date.now() + 60_000,
    });
    expect(await send(handle, { ...good, signedQuestion: decision })).toMatchObject({ reason: 'badSignature' });
    // Nor is a question ever a decision.
    const { approvalId, actionDigest } = gate;
    expect(
      await handle.executeUpdate('decideApproval', { args: [{ approvalId, actionDigest, verdict: 'approve', signedDecision: good.signedQuestion }] }),
    ).toMatchObject({ type: 'refused', reason: 'badSignature' });
    for (const malformed of [null, 'why?', {}, { ...good, actionDigest: 'x' }, { ...good, signedQuestion: 'x'.repeat(20_000) }])
      await expect(send(handle, malformed)).rejects.toMatchObject({ cause: { type: 'malformed' } });
    await expect(send(handle, { ...good, actionDigest: 'a'.repeat(64) })).rejects.toMatchObject({ cause: { type: 'wrongDigest' } });
    expect((await gateNow(gate)).questions ?? []).toEqual([]);
    expect((await auditOf(gate)).every(({ type }) => type === 'question.refused')).toBe(true);
    expect((await stage.store.listAttempts(gate.runKey)).filter(({ mode }) => mode === 'answer')).toEqual([]);

    // The same question twice is one.
    expect(await send(handle, good)).toMatchObject({ type: 'accepted' });
    expect(await send(handle, good)).toMatchObject({ type: 'accepted' });
    await answers(gate, 1);
    for (let count = 1; count < 10; count += 1) expect(await ask(handle, gate, 'why?')).toMatchObject({ type: 'accepted' });
    expect(await ask(handle, gate, 'why?')).toMatchObject({ type: 'refused', reason: 'tooManyQuestions' });
    await answers(gate, 10);
    expect((await stage.store.listAttempts(gate.runKey)).filter(({ mode }) => mode === 'answer')).toHaveLength(10);
    await ledgerIsBill('may-ask');
    await stage.approve(handle);
    await handle.result();
    await expect(ask(handle, gate, 'why?')).rejects.toThrow();
  });
});

describe('an answer under way', () => {
  test('survives its worker: nothing is sent twice, and the ledger covers the bill', async () => {
    const handle = await startPay('killed');
    const gate = await stage.openGate(handle);
    await ask(handle, gate, 'slow?');
    await waitFor('the call', async () => (await stage.store.listAttempts(gate.runKey)).some(({ mode }) => mode === 'answer'));
    const [worker] = stage.workers.slice(-1);
    if (worker) await stage.kill(worker);
    await stage.startWorker();
    const [question] = await answers(gate, 1);
    expect(question?.answer).toBeDefined();
    await stage.approve(handle);
    const result = (await handle.result()) as AgentRunResult;
    expect(result).toMatchObject({ status: 'completed', output: 'paid' });
    const bill = await stage.bill('killed');
    const { settledNanoUsd, heldNanoUsd } = result.ledger;
    expect(settledNanoUsd).toBeLessThanOrEqual(bill);
    expect(settledNanoUsd + heldNanoUsd).toBeGreaterThanOrEqual(bill);
  });

  test('goes on through continue-as-new, and the run does not end before it is paid and written', async () => {
    const handle = await startPay('carried', { limits: { maxHistoryEvents: 50 } as never });
    const gate = await stage.openGate(handle);
    const first = await signed(gate, 'why?');
    await send(handle, first);
    await answers(gate, 1);
    for (let count = 1; count < 4; count += 1) {
      await ask(handle, gate, 'again?');
      await answers(gate, count + 1);
    }
    await waitFor('another execution', async () => {
      const { runId, raw } = await handle.describe();
      return runId !== raw.workflowExecutionInfo?.firstRunId;
    });
    // A question of before, sent again to the new execution, has its answer already.
    const before = (await stage.store.listAttempts(gate.runKey)).length;
    expect(await send(handle, first)).toMatchObject({ type: 'accepted' });
    expect((await stage.store.listAttempts(gate.runKey)).length).toBe(before);
    await ask(handle, gate, 'slow?');
    await stage.approve(handle);
    const result = (await handle.result()) as AgentRunResult;
    expect(result).toMatchObject({ status: 'completed', output: 'paid' });
    expect((await gateNow(gate)).questions?.at(-1)?.answer).toBeDefined();
    expect((await stage.store.listAttempts(gate.runKey)).filter(({ mode }) => mode === 'answer')).toHaveLength(5);
    expect(result.ledger.settledNanoUsd).toBe(await stage.bill('carried'));
    await ledgerIsBill('carried');
  });
});
