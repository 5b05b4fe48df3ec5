import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import { Stage } from '../support/stage.ts';
import { recordedTools } from '../support/tools.ts';

const answer = JSON.stringify({ total: 3, currency: 'EUR' });
const call = { name: 'look', arguments: { id: 1 } };
const scenarios = [
  { id: 'good', match: { system: 'GOOD' }, turns: [{ text: 'Let me look.', toolCalls: [call] }, { text: answer }] },
  {
    id: 'corrected',
    match: { system: 'CORRECTED' },
    turns: [
      { text: 'It is three euros.' },
      {
        text: '{"total":"3","currency":"EUR"}',
        alternatives: [{ when: { lastUserMessageIncludes: 'It is not JSON' }, text: '{"total":"3","currency":"EUR"}' }],
      },
      { text: 'I was not told what is wrong.', alternatives: [{ when: { lastUserMessageIncludes: 'expected number' }, text: answer }] },
    ],
  },
  { id: 'broken', match: { system: 'BROKEN' }, turns: [{ text: 'Three.' }], repeatLast: true },
  { id: 'cut', match: { system: 'DIES' }, turns: [{ text: 'Three.' }, { text: answer, faults: [{ type: 'cutAfterWork' as const, attempt: 1 }] }] },
  {
    id: 'wrap',
    match: { system: 'WRAP' },
    turns: [{ toolCalls: [call] }, { toolCalls: [call] }, { text: answer, alternatives: [{ when: { toolsOffered: false }, text: 'Short of money.' }] }],
  },
];
const outputSchema = {
  type: 'object',
  properties: { total: { type: 'number' }, currency: { type: 'string' } },
  required: ['total', 'currency'],
  additionalProperties: false,
};
const stage = new Stage();
beforeAll(() => stage.open({ scenarios }));
afterAll(async () => {
  try {
    await stage.record('structured-corrected');
  } finally {
    await stage.close();
  }
});

const look = Array.from({ length: 20 }, () => ({ name: 'look', arguments: { id: 1 }, result: { total: 3 } }));
const tools = async () => (await recordedTools(stage, { look: 'read' }, look)) as never;
const model = [{ model: 'gpt-5-mini' }];
const stepsOf = async (id: string) => new Set((await stage.store.listAttempts((await stage.run(id)).runKey)).map(({ step }) => step)).size;

test('an answer that fits ends the run as text; turns that call tools are not checked', async () => {
  const handle = await stage.start({ prompt: 'GOOD', outputSchema, tools: await tools() }, { id: 'structured-good' });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: answer, steps: 2 });
});

test('an answer that breaks the schema is told to the model and asked for again; each costs, and the ledger has it', async () => {
  const result = (await (await stage.start({ prompt: 'CORRECTED', outputSchema, models: model }, { id: 'structured-corrected' })).result()) as AgentRunResult;
  expect(result).toMatchObject({ status: 'completed', output: answer, steps: 3 });
  expect(result.ledger).toMatchObject({ settledNanoUsd: await stage.bill('structured-corrected'), heldNanoUsd: 0 });
  expect(stage.billLines().filter((line) => line.nanoUsd > 0).length).toBeGreaterThanOrEqual(3);
});

test('after the last correction the run fails by name, says what was wrong, and hands out no answer', async () => {
  const handle = await stage.start(
    { prompt: 'BROKEN', outputSchema, models: model, limits: { maxOutputCorrections: 1 } as never },
    { id: 'structured-broken' },
  );
  const error = await handle.result().then(
    () => null,
    (reason: { cause: { type: string; message: string; details: [AgentRunResult] } }) => reason.cause,
  );
  expect(error).toMatchObject({
    type: 'invalidOutput',
    message: expect.stringMatching(/broke the output schema 2 times\. It is not JSON.*The answer begins: "Three\."/),
  });
  expect(error?.details[0]).toMatchObject({ status: 'failed', output: null, steps: 2 });
  expect(error?.details[0].ledger.settledNanoUsd).toBe(await stage.bill('structured-broken'));
  expect(await stepsOf('structured-broken')).toBe(2);
});

test('a correction never goes beyond the budget', async () => {
  const handle = await stage.start({ prompt: 'BROKEN', outputSchema, models: model, budgetLimitNanoUsd: 1_500_000 }, { id: 'structured-poor' });
  expect(await handle.result()).toMatchObject({ status: 'budgetExhausted' });
  expect(await stepsOf('structured-poor')).toBe(1);
  expect(await stage.ledgerProblems('structured-poor')).toEqual([]);
});

test('a correction whose connection breaks off is tried again and not paid for unseen', async () => {
  const handle = await stage.start({ prompt: 'DIES', outputSchema, models: model }, { id: 'structured-cut' });
  expect(await handle.result()).toMatchObject({ status: 'completed', output: answer, steps: 2 });
  expect(await stage.ledgerProblems('structured-cut')).toEqual([]);
});

test('a last answer under a budget that is used up is in words', async () => {
  const handle = await stage.start(
    { prompt: 'WRAP', outputSchema, models: model, tools: await tools(), onBudgetExhausted: 'wrapUp', budgetLimitNanoUsd: 3_400_000 },
    { id: 'structured-wrap' },
  );
  expect(await handle.result()).toMatchObject({ status: 'budgetExhausted', output: 'Short of money.' });
  expect(await stage.ledgerProblems('structured-wrap')).toEqual([]);
});
