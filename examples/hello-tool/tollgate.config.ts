import { defineConfig, defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

const temperatures: Readonly<Record<string, number>> = { Lisbon: 21, Oslo: 4 };

const weather = defineTool({
  name: 'weather',
  description: 'The temperature in a city, in degrees Celsius.',
  parameters: z.object({ city: z.string() }),
  effect: 'read',
  // `city` is a string: the compiler knows it from the schema, and a call that does not fit never gets here.
  execute: async ({ city }) => ({ city, celsius: temperatures[city] ?? null }),
});

export default defineConfig({
  tasks: [
    defineTask({
      name: 'hello',
      prompt: 'You answer questions about the weather in one sentence.',
      models: ['gpt-5-mini', 'gpt-5-nano'],
      maxOutputTokens: 1_024,
      budgetUsd: 0.05,
      tools: [weather],
    }),
  ],
});
