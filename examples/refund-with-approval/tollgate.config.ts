import { defineConfig, defineTask, defineTool, ToolNotDone } from 'tollgate';
import { z } from 'zod';

/** Stands for a payment provider that honours idempotency keys. */
const refunds = new Map<string, { readonly orderId: string; readonly amountCents: number }>();

const refund = defineTool({
  name: 'refund',
  description: 'Pays an order back. It can not be taken back.',
  parameters: z.object({ orderId: z.string(), amountCents: z.int().min(1) }),
  // It waits at a gate, and runs at most once, with exactly the arguments that were approved.
  effect: 'irreversible',
  destination: 'payment provider',
  async execute(args, { idempotencyKey }) {
    if (args.amountCents > 50_000) throw new ToolNotDone('More than 500.00 can not be refunded. Nothing was done.');
    refunds.set(idempotencyKey, args);
    return { refunded: args.amountCents };
  },
  /** Asked when a worker died between the request and its answer. */
  async reconcile(_args, { idempotencyKey }) {
    const found = refunds.get(idempotencyKey);
    return found ? { type: 'done', result: { refunded: found.amountCents } } : { type: 'notDone', honoursIdempotencyKey: true };
  },
});

export default defineConfig({
  tasks: [
    defineTask({
      name: 'refund-desk',
      prompt: 'You refund orders when the customer is right.',
      models: ['gpt-5-mini', 'gpt-5-nano'],
      maxOutputTokens: 1_024,
      budgetUsd: 0.05,
      tools: [refund],
      gates: { irreversible: { role: 'support-lead', approvers: 1, expiresAfterMs: 86_400_000 } },
    }),
  ],
});
