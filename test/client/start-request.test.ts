import { expect, test } from 'vitest';
import { z } from 'zod';
import { knownTask } from '../../client/known-task.ts';
import { startDetails, startSearchAttributes, toStartRequest } from '../../client/start-request.ts';
import { TollgateError } from '../../contracts/failures.ts';
import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.ts';
import { defineTask } from '../../domain/task/define.ts';

const task = defineTask({
  name: 'greet',
  prompt: 'Greet.',
  models: ['gpt-5-nano'],
  maxOutputTokens: 64,
  budgetUsd: '0.10',
  limits: { maxMessageBytes: 256 },
  input: z.strictObject({ message: z.string(), language: z.enum(['en', 'de']).optional() }),
});

function messageOf(build: () => unknown): string {
  try {
    build();
  } catch (error) {
    expect(error).toBeInstanceOf(TollgateError);
    expect((error as TollgateError).type).toBe('invalidInput');
    return (error as TollgateError).message;
  }
  throw new Error('it was accepted');
}

test('a good start has the task, the people and the budget', () => {
  expect(toStartRequest(knownTask(task), { message: 'hi' }, 'alice', { tenant: 't', budgetUsd: '0.05' })).toEqual({
    version: 1,
    task: { type: 'named', name: 'greet' },
    input: { message: 'hi' },
    tenant: 't',
    feature: 'greet',
    budgetLimitNanoUsd: 50_000_000,
    requester: 'alice',
  });
});

test('everything that is wrong with a start is said at once', () => {
  const message = messageOf(() => toStartRequest(knownTask(task), { message: 1, language: 'fr' }, 'alice', { budgetUsd: '-1', tenant: '' }));
  expect(message).toContain('input.message:');
  expect(message).toContain('input.language:');
  expect(message).toContain('budgetUsd: expected an amount in USD');
  expect(message).toContain('tenant:');
});

test('a task without a schema of its own needs a message', () => {
  expect(messageOf(() => toStartRequest(knownTask('any'), {}, 'alice', {}))).toContain('input.message: the first user message is missing');
  expect(messageOf(() => toStartRequest(knownTask('any'), ['x'], 'alice', {}))).toContain('expected a JSON object');
  expect(toStartRequest(knownTask('any'), { message: 'hi', more: [1] }, 'alice', {}).input).toEqual({ message: 'hi', more: [1] });
});

test('an input over the limit is refused before it goes anywhere', () => {
  expect(messageOf(() => toStartRequest(knownTask(task), { message: 'ü'.repeat(150) }, 'alice', {}))).toContain('at most 256 (limits.maxMessageBytes)');
});

test('a run has every search attribute from its start, except those switched off', () => {
  const start = toStartRequest(knownTask(task), { message: 'hi' }, 'alice', {});
  const all = startSearchAttributes(start, knownTask(task), []);
  expect(all.map((pair) => [pair.key.name, pair.key.type]).sort()).toEqual(
    Object.values(SEARCH_ATTRIBUTES)
      .map(({ name, type }) => [name, type])
      .sort(),
  );
  expect(all.find((pair) => pair.key.name === 'TollgateBudgetUsd')?.value).toBe(0.1);
  const fewer = startSearchAttributes(start, knownTask(task), ['spendUsd', 'budgetUsd']);
  expect(fewer.some((pair) => pair.key.type === 'DOUBLE')).toBe(false);
});

test('the details say how to look further', () => {
  const start = toStartRequest(knownTask(task), { message: 'hi' }, 'alice', {});
  const details = startDetails('run-1', start, knownTask(task));
  expect(details).toContain('npx tollgate runs show run-1');
  expect(details).toContain('0.10 USD');
});
