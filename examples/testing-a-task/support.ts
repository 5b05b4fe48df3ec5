import { defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

export const refund = defineTool({
  name: 'refund',
  description: 'Pays an order back.',
  parameters: z.object({ orderId: z.string(), amountCents: z.int() }),
  effect: 'irreversible',
  execute: async () => {
    throw new Error('This calls the payment provider, and no test gets here.');
  },
});

export const support = defineTask({
  name: 'support',
  prompt: 'You help customers of a shop.',
  models: ['gpt-5-mini'],
  maxOutputTokens: 1_024,
  budgetUsd: 0.05,
  tools: [refund],
  gates: { irreversible: { role: 'support-lead' } },
});
