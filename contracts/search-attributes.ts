/** Search attributes by name and type. A namespace on SQL visibility has room for 3 Double, 3 Bool and 10 Keyword ones. */
export const SEARCH_ATTRIBUTES = {
  task: { name: 'TollgateTask', type: 'KEYWORD' },
  tenant: { name: 'TollgateTenant', type: 'KEYWORD' },
  feature: { name: 'TollgateFeature', type: 'KEYWORD' },
  status: { name: 'TollgateStatus', type: 'KEYWORD' },
  awaitingApproval: { name: 'TollgateAwaitingApproval', type: 'BOOL' },
  spendUsd: { name: 'TollgateSpendUsd', type: 'DOUBLE' },
  budgetUsd: { name: 'TollgateBudgetUsd', type: 'DOUBLE' },
  model: { name: 'TollgateModel', type: 'KEYWORD' },
  promptVersion: { name: 'TollgatePromptVersion', type: 'KEYWORD' },
} as const;
export type SearchAttributeTopic = keyof typeof SEARCH_ATTRIBUTES;
