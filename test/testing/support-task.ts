import { defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

/** What the tools of the task below really did, in this process. */
export const done: string[] = [];

export const findOrder = defineTool({
  name: 'find_order',
  description: 'Looks an order up.',
  parameters: z.object({ orderId: z.string(), detail: z.boolean().default(false) }),
  effect: 'read',
  execute: async ({ orderId, detail }) => {
    done.push(`find ${orderId}`);
    return { orderId, totalCents: 4_900, detail };
  },
});

export const refund = defineTool({
  name: 'refund',
  description: 'Pays an order back.',
  parameters: z.object({ orderId: z.string(), amountCents: z.int() }),
  effect: 'irreversible',
  destination: 'the payment provider',
  execute: async ({ orderId, amountCents }) => {
    done.push(`refund ${orderId} ${amountCents}`);
    return { refunded: amountCents };
  },
});

export const support = defineTask({
  name: 'support',
  prompt: 'You help customers of a shop.',
  models: ['gpt-5-mini', 'gpt-4o-mini'],
  maxOutputTokens: 512,
  budgetUsd: '0.10',
  tools: [findOrder, refund],
  gates: { irreversible: { role: 'support-lead', approvers: 1 } },
  input: z.object({ message: z.string() }),
});

export const extract = defineTask({
  name: 'extract',
  prompt: 'You read receipts.',
  models: ['gpt-5-nano'],
  maxOutputTokens: 512,
  budgetUsd: '0.10',
  limits: { maxOutputCorrections: 1 },
  output: z.object({ totalCents: z.int(), items: z.array(z.string()) }).refine(({ items }) => new Set(items).size === items.length, 'every item once'),
});
