import { z } from 'zod';
import { defineConfig, defineTask, defineTool } from 'tollgate';
import example from '../../../examples/plan-and-merge/tollgate.config.ts';

const look = defineTool({
  name: 'look',
  description: 'Looks.',
  parameters: z.object({ id: z.number() }),
  effect: 'read',
  local: true,
  execute: async ({ id }) => ({ id }),
});

const common = { models: ['gpt-5-mini'], maxOutputTokens: 256, budgetUsd: '0.10' } as const;

/** A project with workflows of its own, good and hostile ones. */
export default defineConfig({
  workflows: './workflows.ts',
  tasks: [
    ...example.tasks,
    defineTask({ ...common, name: 'fan-out', workflow: 'fanOut', prompt: 'FANOUT' }),
    defineTask({ ...common, name: 'spender', prompt: 'SPENDER', tools: [look], onBudgetExhausted: 'ask', limits: { maxSteps: 50 } }),
    defineTask({ ...common, name: 'waiter', prompt: 'WAITER', models: ['gpt-5-mini'] }),
    defineTask({ ...common, name: 'rounds', workflow: 'rounds', prompt: 'ROUNDS', limits: { maxHistoryEvents: 50 } }),
    defineTask({ ...common, name: 'failing', workflow: 'failing', prompt: 'FAILING' }),
  ],
});
