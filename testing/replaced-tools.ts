import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { createFunctionRuntime } from '../adapters/tools/function-tool.ts';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { ToolDefinition } from '../contracts/task.ts';
import { ToolNotDone, type ToolSpec } from '../domain/task/define.ts';
import { type TaskRegistry, toolKey } from '../domain/task/registry-port.ts';
import type { ToolBindingRuntime, ToolContext, ToolReconciliation } from '../domain/tool/runtime-port.ts';

/** Takes a tool's place where it runs: throwing `ToolNotDone` says that nothing happened, any other error leaves that open. */
export type ToolFunction = (args: JsonObject, context: ToolContext) => Promise<JsonValue> | JsonValue;

/**
 * What runs in place of a tool. Its schema, effect, gate, version and destination stay those of the task. The real
 * `reconcile` is replaced too: unless one is given, nobody can say what became of an action in doubt.
 */
export type ToolReplacement =
  | ToolFunction
  | { readonly execute: ToolFunction; readonly reconcile?: (args: JsonObject, context: ToolContext) => Promise<ToolReconciliation> | ToolReconciliation };

/** By tool name. */
export type ToolReplacements = Readonly<Record<string, ToolReplacement>>;

/** Always the same result. */
export function returns(result: JsonValue): ToolFunction {
  return () => result;
}

/** Certainly nothing is done; the model reads the message. */
export function notDone(message: string): ToolFunction {
  return () => {
    throw new ToolNotDone(message);
  };
}

/** Nobody knows what happened: a read or write is tried again, an irreversible action is in doubt. */
export function breaks(message = 'the connection broke'): ToolFunction {
  return () => {
    throw new Error(message);
  };
}

/** Never answers; the call ends at `limits.toolTimeoutMs`, and nobody knows what happened. */
export function hangs(): ToolFunction {
  return (_args, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('hung until the call was given up')), { once: true });
    });
}

/** The first call meets the first, the second the second; the last one stays. Tries of one call count one by one. */
export function inOrder(...functions: readonly [ToolFunction, ...ToolFunction[]]): ToolFunction {
  let calls = 0;
  return (args, context) => {
    const chosen = functions[Math.min(calls, functions.length - 1)] ?? functions[0];
    calls += 1;
    return chosen(args, context);
  };
}

/** One recorded call, as a line of a `results.jsonl`. */
export interface RecordedCall {
  readonly name: string;
  readonly arguments: JsonObject;
  readonly result: JsonValue;
}

/**
 * Replays recorded calls: each is used once a run, the first with equal arguments; a call that has none gets an error that the
 * model sees. Tries of one call get the same result.
 */
export function recorded(calls: readonly RecordedCall[]): ToolReplacements {
  const used = new Map<string, string>();
  const replay =
    (name: string): ToolFunction =>
    (args, { callKey, runKey }) => {
      const place = (index: number) => `${runKey.agentRunId} ${runKey.firstExecutionRunId} ${index}`;
      const index = calls.findIndex((recording, position) => {
        const user = used.get(place(position));
        return recording.name === name && isDeepStrictEqual(recording.arguments, args) && (user === undefined || user === callKey);
      });
      const found = calls[index];
      if (!found) throw new ToolNotDone(`Nothing (more) is recorded for ${name} with these arguments.`);
      used.set(place(index), callKey);
      return found.result;
    };
  return Object.fromEntries([...new Set(calls.map(({ name }) => name))].map((name) => [name, replay(name)]));
}

/** What runs in place of `tool`. Arguments are parsed by the tool's own zod schema where it is at hand. */
export function replacedRuntime(tool: ToolDefinition, replacement: ToolReplacement, registry?: TaskRegistry): ToolBindingRuntime {
  const key = toolKey(tool.name, tool.version);
  const { execute, reconcile } = typeof replacement === 'function' ? { execute: replacement } : replacement;
  const spec: ToolSpec = {
    name: tool.name,
    description: tool.description,
    effect: tool.effect,
    parameters: registry?.tools.get(key)?.parameters ?? z.fromJSONSchema(tool.parameters as Parameters<typeof z.fromJSONSchema>[0]),
    execute: async (args, context) => await execute(args as JsonObject, context),
    ...(reconcile ? { reconcile: async (args, context) => await reconcile(args as JsonObject, context) } : {}),
  };
  return createFunctionRuntime({ tasks: new Map(), tools: new Map([[key, spec]]) });
}
