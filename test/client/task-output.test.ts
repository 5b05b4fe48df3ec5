import { expect, test } from 'vitest';
import { z } from 'zod';
import type { RunOutcome } from '../../client/run-result.ts';
import { typedOutcome } from '../../client/task-output.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import { defineTask } from '../../domain/task/define.ts';

const base = { prompt: 'P', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: '0.10' } as const;
const task = defineTask({ ...base, name: 'sum', output: z.object({ total: z.number(), note: z.string().default('none') }) });
const outcome = (change: Partial<RunOutcome> = {}): RunOutcome => ({
  agentRunId: 'r' as AgentRunId,
  status: 'completed',
  output: '{"total": 3}',
  message: '',
  steps: 1,
  ledger: null,
  ...change,
});

test('the answer of a completed run is what the schema makes of it, beside its text', async () => {
  expect(await typedOutcome(outcome(), task)).toEqual({ ...outcome(), output: { total: 3, note: 'none' }, outputText: '{"total": 3}' });
});

test('a run that did not complete has no output, whatever it said last', async () => {
  const wrappedUp = { status: 'budgetExhausted', output: 'Out of money.' } as const;
  expect(await typedOutcome(outcome(wrappedUp), task)).toMatchObject({ status: 'budgetExhausted', output: null, outputText: 'Out of money.' });
  expect(await typedOutcome(outcome({ status: 'cancelled' }), task)).toMatchObject({ output: null });
});

test('without an output schema the answer stays the text that it is', async () => {
  expect(await typedOutcome(outcome(), defineTask({ ...base, name: 'plain' }))).toEqual(outcome());
  expect(await typedOutcome(outcome(), 'by-name')).toEqual(outcome());
});

test.each([['{"total": "3"}'], ['three'], [null]])('an answer that this client can not read is an error that says why, not an output: %s', async (output) => {
  await expect(typedOutcome(outcome({ output }), task)).rejects.toMatchObject({
    type: 'invalidOutput',
    message: expect.stringContaining('different versions of the task'),
  });
});
