import { defineConfig, defineTask } from 'tollgate';
import { findParcel } from './tollgate.config.ts';

export default defineConfig({
  workflows: './workflows.ts',
  tasks: [
    defineTask({
      name: 'look-once',
      workflow: 'lookOnce',
      prompt: 'You look after parcels.',
      models: ['gpt-5-mini'],
      maxOutputTokens: 256,
      budgetUsd: '0.10',
      tools: [findParcel],
    }),
  ],
});
