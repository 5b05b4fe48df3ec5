import { expect, test } from 'vitest';
import { toProject } from '../../adapters/tasks/project.ts';

const task = { name: 'chat', prompt: 'p', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: 0.1 };
const refusal = (message: RegExp) => expect.objectContaining({ type: 'invalidInput', message: expect.stringMatching(message) });
const mistakesOf = (spec: unknown) => {
  try {
    toProject(spec, 'tollgate.config.ts');
    return null;
  } catch (error) {
    return error;
  }
};

test('a configuration has quotas, and a task its limits in tokens and time and what it does when no model answers', () => {
  const limits = { maxQuotaWaitMs: 1_000, maxUnavailableWaitMs: 2_000, maxDurationMs: 3_000 };
  const more = { budgetTokens: 9_000, raiseByTokens: 500, onQuotaDenied: 'fail', onModelsUnavailable: 'message', unavailableMessage: 'Later.', limits };
  const quotas = [
    { tenant: '*', per: 'minute', tokens: 200_000 },
    { tenant: 'acme', feature: 'chat', per: 'day', usd: '5' },
  ];
  const { registry, spec } = toProject({ tasks: [{ ...task, ...more, gates: { unavailable: { role: 'lead' } } }], quotas }, 'tollgate.config.ts');
  expect(spec.quotas).toEqual(quotas);
  expect(registry.tasks.get('chat')).toMatchObject({
    budgetLimitTokens: 9_000,
    raiseByTokens: 500,
    onQuotaDenied: 'fail',
    onModelsUnavailable: 'message',
    unavailableMessage: 'Later.',
    gates: { unavailable: { role: 'lead' } },
    limits,
  });
});

test('a task that says nothing of them is the same definition as before', () => {
  const definition = toProject({ tasks: [task] }, 'tollgate.config.ts').registry.tasks.get('chat') ?? {};
  for (const field of ['budgetLimitTokens', 'raiseByTokens', 'onQuotaDenied', 'onModelsUnavailable', 'unavailableMessage'])
    expect(definition).not.toHaveProperty(field);
});

test('every mistake in quotas is listed with its place and what to write', () => {
  const quotas = [
    { per: 'day', usd: 5 },
    { tenant: 'acme', per: 'week', usd: 5 },
    { tenant: 'acme', per: 'day' },
    { tenant: 'acme', per: 'day', usd: 5, tokens: 5 },
    { tenant: 'acme', per: 'day', tokens: -1 },
    { tenant: 'acme', per: 'day', usd: 5, limit: 1 },
  ];
  const error = mistakesOf({ tasks: [task], quotas });
  expect(error).toEqual(refusal(/quotas\[0\].*neither a tenant nor a feature/));
  expect(error).toEqual(refusal(/quotas\[1\]\.per: expected "minute", "day" or "month", saw "week"/));
  expect(error).toEqual(refusal(/quotas\[2\].*exactly one of usd/));
  expect(error).toEqual(refusal(/quotas\[3\].*exactly one of usd/));
  expect(error).toEqual(refusal(/quotas\[4\].*tokens: expected a whole number/));
  expect(error).toEqual(refusal(/"limit"/));
});

test('two limits of the same thing are refused; in another unit they are not the same', () => {
  const quota = { tenant: 'acme', per: 'day', usd: 5 };
  expect(mistakesOf({ tasks: [task], quotas: [quota, { tenant: 'acme', per: 'day', tokens: 5 }] })).toBeNull();
  expect(mistakesOf({ tasks: [task], quotas: [quota, { ...quota, usd: 7 }] })).toEqual(refusal(/quotas\[1\]: an earlier quota limits the same tenant/));
});
