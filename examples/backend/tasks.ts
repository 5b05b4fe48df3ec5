import { defineTask } from 'tollgate';
import { z } from 'zod';

export const triage = defineTask({
  name: 'triage',
  prompt: 'You sort messages to a shop.',
  models: ['gpt-5-mini', 'gpt-5-nano'],
  maxOutputTokens: 1_024,
  budgetUsd: 0.02,
  input: z.strictObject({ message: z.string().min(1), language: z.enum(['en', 'de']).default('en') }),
  output: z.object({ topic: z.enum(['order', 'refund', 'other']), urgent: z.boolean() }),
});
