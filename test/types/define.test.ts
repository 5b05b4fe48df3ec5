import { defineConfig, defineTask, defineTool, type TaskSpec, type ToolSpec } from 'tollgate';
import type { AgentClient, InputOf, OutputOf, RunOutcome } from 'tollgate/client';
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

const base = { prompt: 'P', models: ['gpt-5-nano'], maxOutputTokens: 64, budgetUsd: '0.10' } as const;
const convert = defineTool({
  name: 'convert',
  description: 'Converts an amount.',
  parameters: z.object({ amount: z.number(), to: z.enum(['EUR', 'USD']), rounded: z.boolean().default(true) }),
  effect: 'read',
  execute: async (args, context) => {
    expectTypeOf(args).toEqualTypeOf<{ amount: number; to: 'EUR' | 'USD'; rounded: boolean }>();
    expectTypeOf(context.idempotencyKey).toBeString();
    return { amount: args.amount };
  },
});
const plain = defineTask({ ...base, name: 'plain', tools: [convert] });
const typed = defineTask({
  ...base,
  name: 'typed',
  tools: [convert],
  input: z.strictObject({ message: z.string(), limit: z.number().default(3) }),
  output: z.object({ total: z.number(), at: z.string().transform((text) => new Date(text)) }),
});
const typedOutputAlone = defineTask({ ...base, name: 'output-alone', output: z.object({ ok: z.boolean() }) });

/** Never called: what is checked here is checked by the compiler. */
declare const client: AgentClient;
const unchecked = (_body: () => unknown) => undefined;

describe('tools', () => {
  test('keep the types of their arguments', () => {
    expectTypeOf<Parameters<(typeof convert)['execute']>[0]>().toEqualTypeOf<{ amount: number; to: 'EUR' | 'USD'; rounded: boolean }>();
  });

  test('of any arguments go into a task, and tasks of any types into a project', () => {
    expectTypeOf(convert).toExtend<ToolSpec>();
    expectTypeOf(typed).toExtend<TaskSpec>();
    unchecked(() => defineConfig({ tasks: [plain, typed, typedOutputAlone] }));
  });

  test('what must not compile', () => {
    const parameters = z.object({ amount: z.number() });
    unchecked(() => [
      // @ts-expect-error: the schema has no such argument.
      defineTool({ name: 't', description: '', parameters, effect: 'read', execute: async (args) => args.currency }),
      // @ts-expect-error: the argument is a number.
      defineTool({ name: 't', description: '', parameters, effect: 'read', execute: async (args) => args.amount.trim() }),
      // @ts-expect-error: no such effect.
      defineTool({ name: 't', description: '', parameters, effect: 'delete', execute: async () => null }),
      // @ts-expect-error: a tool says what it does to the world.
      defineTool({ name: 't', description: '', parameters, execute: async () => null }),
      // @ts-expect-error: a function is no JSON.
      defineTool({ name: 't', description: '', parameters, effect: 'read', execute: async () => () => 1 }),
      // @ts-expect-error: the tool does not take a text.
      convert.execute({ amount: '1', to: 'EUR', rounded: true }, null as never),
      // @ts-expect-error: a task has a budget.
      defineTask({ name: 't', prompt: 'P', models: ['m'], maxOutputTokens: 1 }),
      // @ts-expect-error: not one of ask, wrapUp, fail.
      defineTask({ ...base, name: 't', onBudgetExhausted: 'ignore' }),
      // @ts-expect-error: an output schema is a zod object, not a JSON Schema.
      defineTask({ ...base, name: 't', output: { type: 'object' } }),
    ]);
  });
});

describe('inputs', () => {
  test('are what the schema takes, else any object', () => {
    expectTypeOf<InputOf<typeof typed>>().toEqualTypeOf<{ message: string; limit?: number | undefined }>();
    expectTypeOf<InputOf<typeof plain>>().toEqualTypeOf<Readonly<Record<string, unknown>>>();
    expectTypeOf<InputOf<typeof typedOutputAlone>>().toEqualTypeOf<Readonly<Record<string, unknown>>>();
    expectTypeOf<InputOf<'by-name'>>().toEqualTypeOf<Readonly<Record<string, unknown>>>();
  });

  test('what must not compile', () => {
    unchecked(() => [
      client.start(typed, { message: 'Hello' }),
      client.start('by-name', { message: 'Hello' }),
      // @ts-expect-error: the message is missing.
      client.start(typed, { limit: 3 }),
      // @ts-expect-error: the limit is a number.
      client.start(typed, { message: 'Hello', limit: 'three' }),
      // @ts-expect-error: no such field.
      client.start(typed, { message: 'Hello', other: 1 }),
      // @ts-expect-error: an input is an object.
      client.start(plain, 'Hello'),
    ]);
  });
});

describe('outputs', () => {
  type Outcome<Task extends Parameters<AgentClient['start']>[0]> = RunOutcome<OutputOf<Task>>;
  type Completed<Task extends Parameters<AgentClient['start']>[0]> = Extract<Outcome<Task>, { status: 'completed' }>;

  test('are what the schema makes of the answer', () => {
    expectTypeOf<OutputOf<typeof typed>>().toEqualTypeOf<{ total: number; at: Date }>();
    expectTypeOf<Completed<typeof typed>['output']>().toEqualTypeOf<{ total: number; at: Date }>();
    expectTypeOf<Completed<typeof typedOutputAlone>['output']>().toEqualTypeOf<{ ok: boolean }>();
    expectTypeOf<Outcome<typeof typed>['output']>().toEqualTypeOf<{ total: number; at: Date } | null>();
    expectTypeOf<Outcome<typeof typed>['outputText']>().toEqualTypeOf<string | null>();
  });

  test('are text without a schema, by name, and by id alone', () => {
    expectTypeOf<Outcome<typeof plain>['output']>().toEqualTypeOf<string | null>();
    expectTypeOf<Outcome<'by-name'>['output']>().toEqualTypeOf<string | null>();
    expectTypeOf<RunOutcome['output']>().toEqualTypeOf<string | null>();
    expectTypeOf<Awaited<ReturnType<typeof client.result>>['status']>().toExtend<string>();
  });

  test('need no generics', () => {
    unchecked(async () => {
      const outcome = await client.result('run-1', typed);
      // @ts-expect-error: only a completed run has an output.
      outcome.output.total;
      if (outcome.status === 'completed') expectTypeOf(outcome.output).toEqualTypeOf<{ total: number; at: Date }>();
      else expectTypeOf(outcome.output).toBeNull();
      // @ts-expect-error: the schema has no such field.
      if (outcome.status === 'completed') outcome.output.sum;
      const text = await client.result('run-1');
      // @ts-expect-error: without the task it is a text.
      text.output?.total;
      expectTypeOf(text.output).toEqualTypeOf<string | null>();
    });
  });
});
