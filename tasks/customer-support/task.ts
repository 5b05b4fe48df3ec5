import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { defineTask, type TaskSpec } from '../../domain/task/define.ts';
import { NorthwindDatabase } from './database.ts';
import { createTools } from './tools.ts';

const inputSchema = z.strictObject({
  message: z.string().min(1).max(20_000).describe('What the customer wrote.'),
  customerId: z.string().optional(),
});

export interface CustomerSupportOptions {
  /** File of the shop's records; created where it is missing. `:memory:` keeps them in the process. */
  readonly databasePath: string;
}

/** The sample task: a support agent that looks orders up, changes addresses, and refunds once a person has agreed. */
export function createCustomerSupport(options: CustomerSupportOptions): TaskSpec<typeof inputSchema> {
  return defineTask({
    name: 'customer-support',
    prompt: readFileSync(new URL('./prompt.md', import.meta.url), 'utf8').trim(),
    models: ['gpt-5-mini', 'gpt-5-nano'],
    maxOutputTokens: 2_048,
    budgetUsd: '0.25',
    onBudgetExhausted: 'ask',
    tools: createTools(new NorthwindDatabase(options.databasePath)),
    gates: { irreversible: { approvers: 1, role: 'support-lead', expiresAfterMs: 86_400_000 } },
    providerStorage: 'allowed',
    input: inputSchema,
  });
}
