import { z } from 'zod';
import type { ReplyCall } from '../../contracts/agent-run.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { ModelReply, ModelToolCall } from '../../contracts/model.ts';
import type { TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import { hasToken } from '../../domain/redaction/token-text.ts';
import { toolOf } from '../agent-run/snapshot.ts';

export type ReadCall =
  | { readonly type: 'valid'; readonly tool: ToolDefinition; readonly args: JsonObject }
  /** `message` tells the model what to do better. */
  | { readonly type: 'invalid'; readonly message: string };

const validators = new WeakMap<ToolDefinition, z.ZodType>();

/** Reads what a model wrote as a tool call, against the pinned tool. Never throws for what the model wrote. */
export function readCall(snapshot: TaskSnapshot, call: ModelToolCall): ReadCall {
  const tool = toolOf(snapshot, call.name);
  if (!tool)
    return { type: 'invalid', message: `There is no tool "${call.name}". Tools: ${snapshot.task.tools.map(({ name }) => name).join(', ') || 'none'}.` };
  if (call.blocked)
    return {
      type: 'invalid',
      message: `The arguments have ${call.blocked.join(', ')}, which redaction policy keeps out of tools. Nothing was done. Leave it out.`,
    };
  let args: unknown;
  try {
    args = JSON.parse(call.argumentsText.trim() === '' ? '{}' : call.argumentsText);
  } catch (error) {
    return {
      type: 'invalid',
      message: `The arguments are not valid JSON (${(error as Error).message}). Nothing was done. Call the tool again with a JSON object.`,
    };
  }
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { type: 'invalid', message: 'The arguments must be a JSON object. Nothing was done.' };
  const problem = argumentsProblem(tool, args as JsonObject);
  if (problem === null) return { type: 'valid', tool, args: args as JsonObject };
  return { type: 'invalid', message: `The arguments do not fit the tool's schema. Nothing was done. ${problem}` };
}

/** Why the arguments do not fit the tool's schema; null where they do, as far as tokens let it be told. */
export function argumentsProblem(tool: ToolDefinition, args: JsonObject): string | null {
  const parsed = validatorOf(tool).safeParse(args);
  return parsed.success || onlyTokens(parsed.error, args) ? null : z.prettifyError(parsed.error);
}

/**
 * Whether every problem is about a text with a token in it: whether the value behind it has the right format shows when the tool
 * gets it.
 */
export function onlyTokens(error: z.ZodError, value: JsonValue): boolean {
  return error.issues.every(({ path }) => {
    const at = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
    return typeof at === 'string' && hasToken(at);
  });
}

function validatorOf(tool: ToolDefinition): z.ZodType {
  const known = validators.get(tool);
  if (known) return known;
  const validator = z.fromJSONSchema(tool.parameters as Parameters<typeof z.fromJSONSchema>[0]);
  validators.set(tool, validator);
  return validator;
}

/** The calls of a reply as the workflow needs them, at most as many as one step carries out. */
export function replyCalls(snapshot: TaskSnapshot, reply: ModelReply): ReplyCall[] {
  return reply.toolCalls.slice(0, snapshot.task.limits.maxToolCallsPerStep).map((call) => {
    const read = readCall(snapshot, call);
    if (read.type === 'invalid') return { tool: call.name.slice(0, 64), effect: 'read', valid: false };
    const { effect, local } = read.tool;
    return { tool: call.name, effect, valid: true, ...(local && effect === 'read' ? { local } : {}) };
  });
}
