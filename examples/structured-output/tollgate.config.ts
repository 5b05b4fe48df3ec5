import { defineConfig, defineTask } from 'tollgate';
import { z } from 'zod';

export default defineConfig({
  tasks: [
    defineTask({
      name: 'read-receipt',
      prompt: 'You read receipts. Amounts are in cents.',
      models: ['gpt-5-mini', 'gpt-5-nano'],
      maxOutputTokens: 1_024,
      budgetUsd: 0.05,
      // The answer must fit. One that does not is told to the model and asked for again, at most this often.
      output: z.object({ shop: z.string(), totalCents: z.int(), items: z.array(z.object({ name: z.string(), cents: z.int() })) }),
      limits: { maxOutputCorrections: 2 },
    }),
  ],
});
