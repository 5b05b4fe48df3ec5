import { defineConfig, defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

/** A run that stops at a gate at once. */
const pay = defineTool({
  name: 'pay',
  description: 'Pays.',
  parameters: z.object({ amountCents: z.int() }),
  effect: 'irreversible',
  execute: async () => ({ paid: true }),
});

export default defineConfig({
  tasks: [defineTask({ name: 'gated', prompt: 'GATED', models: ['gpt-5-nano'], maxOutputTokens: 256, budgetUsd: 1, tools: [pay] })],
});
