import { z } from 'zod';
import { defineConfig, defineTask, defineTool } from 'tollgate';

const lookUp = defineTool({
  name: 'look_up',
  description: 'What the company knows of a product.',
  parameters: z.object({ product: z.string() }),
  effect: 'read',
  local: true,
  execute: async ({ product }) => ({ product, soldLastYear: 1_204, returned: 37, complaint: 'the lid leaks' }),
});

const common = { models: ['gpt-5-mini', 'gpt-5-nano'], maxOutputTokens: 600 };

export default defineConfig({
  workflows: './workflows.ts',
  tasks: [
    defineTask({
      ...common,
      name: 'product-report',
      workflow: 'planAndMerge',
      prompt: 'You write short reports on products. Asked for a report, give a plan of two parts first: facts and risks.',
      budgetUsd: '0.20',
    }),
    defineTask({ ...common, name: 'find-facts', prompt: 'You find facts for a plan. Use the tool.', budgetUsd: '0.05', tools: [lookUp] }),
    defineTask({ ...common, name: 'find-risks', prompt: 'You find risks for a plan. Use the tool.', budgetUsd: '0.05', tools: [lookUp] }),
  ],
});
