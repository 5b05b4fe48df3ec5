import { appendFile } from 'node:fs/promises';
import { z } from 'zod';
import { defineConfig, defineTask, defineTool } from 'tollgate';

export const findParcel = defineTool({
  name: 'find_parcel',
  description: 'Says where a parcel is.',
  parameters: z.object({ parcelId: z.string() }),
  effect: 'read',
  execute: async ({ parcelId }) => ({ parcelId, place: 'Rotterdam' }),
});

const payOut = defineTool({
  name: 'pay_out',
  description: 'Pays for a lost parcel.',
  parameters: z.object({ parcelId: z.string(), amountCents: z.number().int().positive() }),
  effect: 'irreversible',
  execute: async (args, { idempotencyKey }) => {
    await appendFile('payments.jsonl', `${JSON.stringify({ ...args, idempotencyKey })}\n`);
    return { paid: true };
  },
});

export const parcels = defineTask({
  name: 'parcels',
  prompt: 'You look after parcels.',
  models: ['gpt-5-mini'],
  maxOutputTokens: 256,
  budgetUsd: '0.10',
  tools: [findParcel, payOut],
  gates: { irreversible: { role: 'lead' } },
  input: z.object({ message: z.string() }),
});

export default defineConfig({ tasks: [parcels] });
