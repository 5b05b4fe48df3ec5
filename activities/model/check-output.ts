import { z } from 'zod';
import type { InvalidOutput } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { TaskSnapshot } from '../../contracts/task.ts';
import type { TaskRegistry } from '../../domain/task/registry-port.ts';
import { canonicalDigest } from '../digest.ts';
import type { ActivityPorts } from '../ports.ts';
import { onlyTokens } from './reply-calls.ts';

const MAX_PROBLEM_LENGTH = 2_000;
/** In the run's history and its end. */
const MAX_MESSAGE_LENGTH = 600;
const SHOWN_ANSWER_LENGTH = 200;

/**
 * Checks an answer against the pinned output schema. One that breaks it is answered in the transcript, so that the model can
 * correct it. Null where the answer fits, or the task has no schema.
 */
export async function checkOutput(
  { store, registry }: ActivityPorts,
  snapshot: TaskSnapshot,
  { runKey, attemptId, text }: { readonly runKey: RunKey; readonly attemptId: AttemptId; readonly text: string },
): Promise<InvalidOutput | null> {
  const { outputSchema } = snapshot.task;
  if (!outputSchema) return null;
  const problem = (await outputProblem(registry, snapshot, text))?.slice(0, MAX_PROBLEM_LENGTH);
  if (problem === undefined) return null;
  const nodeId = `${attemptId}:output`;
  await store.putNode(runKey, nodeId, { role: 'user', text: correction(problem, outputSchema) });
  return { nodeId, message: `${problem.slice(0, MAX_MESSAGE_LENGTH)} The answer begins: ${JSON.stringify(text.slice(0, SHOWN_ANSWER_LENGTH))}` };
}

/** What is wrong with an answer, by the task's output schema; undefined where it fits, or the task has none. */
export async function outputProblem(registry: TaskRegistry, { task }: Pick<TaskSnapshot, 'task'>, text: string): Promise<string | undefined> {
  return task.outputSchema ? await problemOf(text, task.outputSchema, ownSchema(registry, { task })) : undefined;
}

async function problemOf(text: string, schema: JsonObject, own: z.ZodType | null): Promise<string | undefined> {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    return `It is not JSON: ${(error as Error).message}.`;
  }
  const parsed = validatorOf(schema).safeParse(answer);
  if (!parsed.success && !onlyTokens(parsed.error, answer as JsonValue)) return z.prettifyError(parsed.error);
  const strict = await own?.safeParseAsync(answer);
  return strict?.success === false && !onlyTokens(strict.error, answer as JsonValue) ? z.prettifyError(strict.error) : undefined;
}

const validators = new WeakMap<JsonObject, z.ZodType>();

function validatorOf(schema: JsonObject): z.ZodType {
  const known = validators.get(schema);
  if (known) return known;
  const validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  validators.set(schema, validator);
  return validator;
}

/** The task's own zod schema, whose refinements JSON Schema can't say; only where this worker has the pinned version of it. */
function ownSchema({ tasks, outputs }: TaskRegistry, { task }: Pick<TaskSnapshot, 'task'>): z.ZodType | null {
  const deployed = tasks.get(task.name)?.outputSchema;
  const isPinned = deployed !== undefined && canonicalDigest(deployed) === canonicalDigest(task.outputSchema);
  return isPinned ? (outputs?.get(task.name) ?? null) : null;
}

function correction(problem: string, schema: JsonObject): string {
  return `This answer can't be taken, because it does not fit the output schema. ${problem}\n\nAnswer again, with one JSON object and nothing else, that fits this JSON Schema: ${JSON.stringify(schema)}`;
}
