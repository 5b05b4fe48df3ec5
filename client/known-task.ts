import { createHash } from 'node:crypto';
import type { z } from 'zod';
import type { TaskDefinition } from '../contracts/task.ts';
import { parseUsd } from '../domain/budget/price.ts';
import type { ContentStore } from '../domain/store/port.ts';
import type { TaskSpec } from '../domain/task/define.ts';
import type { KnownTask } from './start-request.ts';

/** A task given entirely as data, with the texts that it names by digest. */
export interface StoredTask {
  readonly definition: TaskDefinition;
  readonly contents: readonly string[];
}

/** A task by its object, by its data, or by its name alone. */
export type StartableTask<Input extends z.ZodType = z.ZodType> = TaskSpec<Input> | StoredTask | string;

/** What may be given as input to a task: what its schema takes, else any JSON object. */
export type InputOf<Task> = Task extends TaskSpec<infer Input> ? (z.ZodType extends Input ? JsonLike : z.input<Input>) : JsonLike;
type JsonLike = Readonly<Record<string, unknown>>;

/** What can be known of a task before it runs. A task given as data is put into the store by `putTask`. */
export function knownTask(task: StartableTask): KnownTask {
  if (typeof task === 'string') return { reference: { type: 'named', name: task } };
  if ('definition' in task) {
    const { definition } = task;
    return {
      reference: { type: 'stored', name: definition.name, contentDigest: sha256(JSON.stringify(definition)) },
      ...(definition.workflow === undefined ? {} : { workflow: definition.workflow }),
      maxMessageBytes: definition.limits.maxMessageBytes,
      ...(definition.redaction ? { redaction: definition.redaction } : {}),
      models: definition.models.map(({ model }) => model),
      promptVersion: promptVersionOf(definition.prompt),
      budgetLimitNanoUsd: definition.budgetLimitNanoUsd,
    };
  }
  const budget = parseUsd(String(task.budgetUsd));
  return {
    reference: { type: 'named', name: task.name },
    ...(task.workflow === undefined ? {} : { workflow: task.workflow }),
    ...(task.input ? { inputSchema: task.input } : {}),
    ...(task.limits?.maxMessageBytes === undefined ? {} : { maxMessageBytes: task.limits.maxMessageBytes }),
    ...(task.redaction ? { redaction: task.redaction } : {}),
    models: task.models,
    promptVersion: promptVersionOf(task.prompt),
    ...(budget === null ? {} : { budgetLimitNanoUsd: budget }),
  };
}

/** Puts a task given as data into the store, where the worker finds it by the digest that the run is started with. */
export async function putTask(store: ContentStore, task: StoredTask): Promise<void> {
  for (const text of task.contents) await store.putContent(text);
  await store.putContent(JSON.stringify(task.definition));
}

function promptVersionOf(prompt: string): string {
  return sha256(prompt).slice(0, 12);
}

function sha256(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
