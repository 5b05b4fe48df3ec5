import { defineConfig, defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

/** The agent that every subject of the benchmarks runs: 2 KB of prompt, one tool of 1 KB a step, as many steps as the model's name says. */
const filler = (text: string, length: number) => text.repeat(Math.ceil(length / text.length)).slice(0, length);
export const STEP_COUNTS = [20, 80, 200, 1_000] as const;

const lookup = (version: string, local: boolean) =>
  defineTool({
    name: 'lookup',
    version,
    description: 'look a thing up',
    parameters: z.object({ n: z.number(), note: z.string() }),
    effect: 'read',
    ...(local ? { local } : {}),
    execute: async () => filler('tool result data row, value, note; ', 1_000),
  });
const tools = { steps: lookup('1', false), local: lookup('2', true) };

export default defineConfig({
  tasks: STEP_COUNTS.flatMap((count) =>
    (['steps', 'local'] as const).map((kind) =>
      defineTask({
        name: `${kind}-${count}`,
        prompt: filler('policy text for the agent to follow. ', 2_000),
        models: [`m-steps-${count}`],
        maxOutputTokens: 512,
        budgetUsd: 1_000,
        tools: [tools[kind]],
        limits: { maxSteps: count + 2 },
      }),
    ),
  ),
  models: STEP_COUNTS.map((count) => ({ model: `m-steps-${count}`, api: 'responses' as const, price: { inputUsdPerMillion: 0.25, outputUsdPerMillion: 2 } })),
});
