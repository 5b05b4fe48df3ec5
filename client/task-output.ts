import type { z } from 'zod';
import { TollgateError } from '../contracts/failures.ts';
import type { TaskSpec } from '../domain/task/define.ts';
import type { AgentClient } from './agent-client.ts';
import type { StartableTask } from './known-task.ts';
import type { AnswerOf, OutputOf, RunOutcome } from './run-result.ts';

const SHOWN_LENGTH = 200;

/** `result` of a client over its way of waiting for an outcome. */
export function typedResult(wait: (agentRunId: string) => Promise<RunOutcome>): AgentClient['result'] {
  async function result(agentRunId: string): Promise<RunOutcome>;
  async function result<Task extends StartableTask>(agentRunId: string, task: Task): Promise<RunOutcome<OutputOf<Task>>>;
  async function result(agentRunId: string, task?: StartableTask): Promise<RunOutcome | RunOutcome<unknown>> {
    const outcome = await wait(agentRunId);
    return task === undefined ? outcome : await typedOutcome(outcome, task);
  }
  return result;
}

/**
 * An outcome with its answer as the task's output schema types it. Without an output schema the answer stays a text.
 * @throws TollgateError `invalidOutput` where a completed run's answer does not fit: the worker has another version of the task.
 */
export async function typedOutcome<Task extends StartableTask>(outcome: RunOutcome, task: Task): Promise<RunOutcome<OutputOf<Task>>> {
  const schema = outputSchemaOf(task);
  if (!schema) return outcome as RunOutcome<OutputOf<Task>>;
  const { output: outputText, status, ...rest } = outcome;
  const answer: AnswerOf<unknown> =
    status === 'completed' ? { status, output: await parseOutput(schema, outputText, outcome.agentRunId), outputText } : { status, output: null, outputText };
  return { ...rest, ...answer } as RunOutcome<OutputOf<Task>>;
}

function outputSchemaOf(task: StartableTask): z.ZodType | undefined {
  return typeof task === 'string' || 'definition' in task ? undefined : (task as TaskSpec).output;
}

async function parseOutput(schema: z.ZodType, text: string | null, agentRunId: string): Promise<unknown> {
  try {
    return await schema.parseAsync(JSON.parse(text ?? ''));
  } catch (cause) {
    const begins = JSON.stringify(text?.slice(0, SHOWN_LENGTH) ?? null);
    throw new TollgateError(
      'invalidOutput',
      `The run "${agentRunId}" completed, and its answer ${begins} does not fit the output schema that this client has (${(cause as Error).message}). Client and worker have different versions of the task; result("${agentRunId}") without the task gives the text.`,
      { cause },
    );
  }
}
