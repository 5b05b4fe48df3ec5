import { defineConfig, defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

const room = z.object({ room: z.number() });

const reserve = defineTool({
  name: 'reserve',
  description: 'Reserves a room.',
  parameters: room,
  effect: 'write',
  compensate: { tool: 'free', argumentsFrom: ({ room }, result) => ({ room, token: (result as { readonly token: string }).token }) },
  execute: async (args) => ({ token: `token-${args.room}` }),
});
const broken = defineTool({
  name: 'broken',
  description: 'Reserves a room that can not be given back.',
  parameters: room,
  effect: 'write',
  compensate: {
    tool: 'free',
    argumentsFrom: () => {
      throw new Error('no way back');
    },
  },
  execute: async () => ({}),
});
const free = defineTool({
  name: 'free',
  description: 'Gives a room back.',
  parameters: z.object({ room: z.number(), token: z.string() }),
  effect: 'write',
  execute: async (args) => ({ freed: args.room }),
});

/** A task whose tools say in TypeScript how they are undone. */
export default defineConfig({
  tasks: [
    defineTask({
      name: 'rooms',
      prompt: 'ROOMS',
      models: ['gpt-5-mini'],
      maxOutputTokens: 256,
      budgetUsd: '0.10',
      tools: [reserve, broken, free],
      onFailure: 'compensate',
      limits: { maxSteps: 2 },
    }),
  ],
});
