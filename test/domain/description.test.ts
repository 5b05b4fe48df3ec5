import { expect, test } from 'vitest';
import type { AgentRunInput } from '../../contracts/agent-run.ts';
import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.ts';
import { childSearchAttributes } from '../../domain/agent-run/description.ts';

const child: AgentRunInput = {
  version: 1,
  task: { type: 'named', name: 'facts' },
  input: {},
  tenant: 'acme',
  feature: 'reports',
  requester: 'alice',
  budgetLimitNanoUsd: 20_000_000,
};

test('a child has every search attribute that its parent has, with values of its own, and no other', () => {
  const all = Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => ({ key: { name, type }, value: 'of the parent' as unknown }));
  const pairs = childSearchAttributes([...all, { key: { name: 'TeamsOwn', type: 'KEYWORD' as const }, value: 'x' }], child);
  expect(Object.fromEntries(pairs.map(({ key, value }) => [key.name, value]))).toEqual({
    TollgateTask: 'facts',
    TollgateTenant: 'acme',
    TollgateFeature: 'reports',
    TollgateStatus: 'running',
    TollgateAwaitingApproval: false,
    TollgateSpendUsd: 0,
    TollgateBudgetUsd: 0.02,
    TollgateModel: '-',
    TollgatePromptVersion: '-',
  });
  expect(childSearchAttributes([], child)).toEqual([]);
});
