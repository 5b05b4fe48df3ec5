import { defineConfig, defineTask, defineTool } from 'tollgate';
import { z } from 'zod';

const read = (variable: string) => process.env[variable] || 'http://127.0.0.1:9/v1';
const parameters = z.object({ id: z.number() });
const look = defineTool({ name: 'look', description: 'Looks.', parameters, effect: 'read', execute: async ({ id }) => ({ id }) });
const note = defineTool({ name: 'note', description: 'Writes a note.', parameters, effect: 'write', execute: async ({ id }) => ({ id }) });
const pay = defineTool({ name: 'pay', description: 'Pays.', parameters, effect: 'irreversible', execute: async ({ id }) => ({ paid: id }) });

const common = { models: ['gpt-5-mini', 'gpt-5-nano'], maxOutputTokens: 256, budgetUsd: '0.10' } as const;

/** Models behind a gateway, one that is reached directly, and tasks that do whatever has a span. */
export default defineConfig({
  workflows: '../own-workflows/workflows.ts',
  models: [
    { model: 'gpt-5-mini', endpoint: 'gateway' },
    { model: 'gpt-5-nano', endpoint: 'gateway' },
    {
      model: 'direct',
      wireModel: 'gpt-5-mini',
      endpoint: 'provider',
      price: { inputUsdPerMillion: 0.25, cachedInputUsdPerMillion: 0.025, outputUsdPerMillion: 2 },
    },
  ],
  endpoints: {
    gateway: { baseUrl: read('TRACED_GATEWAY_URL'), provider: 'litellm', apiKeyVariable: 'TRACED_GATEWAY_KEY' },
    provider: { baseUrl: read('TRACED_PROVIDER_URL'), provider: 'simulated' },
  },
  tasks: [
    defineTask({ ...common, name: 'desk', prompt: 'DESK', tools: [look, pay], limits: { modelTimeoutMs: 20_000 }, gates: { irreversible: { role: 'lead' } } }),
    defineTask({ ...common, name: 'slow', prompt: 'SLOW', tools: [look] }),
    defineTask({ ...common, name: 'long', prompt: 'LONG', tools: [note], limits: { maxHistoryEvents: 50 } }),
    defineTask({ ...common, name: 'lost', prompt: 'LOST', models: ['direct'] }),
    defineTask({ ...common, name: 'waiter', prompt: 'WAITER' }),
    defineTask({ ...common, name: 'fan-out', workflow: 'fanOut', prompt: 'FANOUT' }),
    defineTask({ ...common, name: 'rounds', workflow: 'rounds', prompt: 'ROUNDS', limits: { maxHistoryEvents: 50 } }),
  ],
});
