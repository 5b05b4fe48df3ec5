import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { JsonValue } from '../../contracts/json.ts';
import type { ToolDefinition } from '../../contracts/task.ts';
import { ToolNotDone, type ToolSpec } from '../../domain/task/define.ts';
import { type TaskRegistry, toolKey } from '../../domain/task/registry-port.ts';
import type { ToolBindingRuntime } from '../../domain/tool/runtime-port.ts';

/** Tools in TypeScript, by name and pinned version. */
export function createFunctionRuntime(registry: TaskRegistry): ToolBindingRuntime {
  return {
    destination: (tool) => specOf(registry, tool).destination ?? `function ${tool.name}`,
    dispatch: async (tool, args, context) => {
      const spec = specOf(registry, tool);
      const parsed = await spec.parameters.safeParseAsync(args);
      if (!parsed.success) return { type: 'notDone', message: `The arguments do not fit the tool: ${z.prettifyError(parsed.error)}` };
      if (context.signal.aborted) return { type: 'notDone', message: 'The time for the call was over before it began.' };
      try {
        return { type: 'done', result: asJson(await untilAborted(async () => spec.execute(parsed.data, context), context.signal)) };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return error instanceof ToolNotDone ? { type: 'notDone', message } : { type: 'unknown', message };
      }
    },
    reconcile: async (tool, args, context) => {
      const { reconcile, parameters } = specOf(registry, tool);
      if (!reconcile) return { type: 'unknown' };
      try {
        return await untilAborted(async () => reconcile(await parameters.parseAsync(args), context), context.signal);
      } catch {
        return { type: 'unknown' };
      }
    },
  };
}

function specOf(registry: TaskRegistry, tool: ToolDefinition): ToolSpec {
  const spec = registry.tools.get(toolKey(tool.name, tool.version));
  if (spec) return spec;
  const versions = [...registry.tools.keys()].filter((key) => key.startsWith(`${tool.name}@`));
  throw new TollgateError(
    'toolVersionUnavailable',
    `This worker has no version ${tool.version} of tool "${tool.name}" (it has: ${versions.join(', ') || 'none'}). The run waits for a worker that does; deploy one, or cancel the run.`,
  );
}

/** What a tool returned as the JSON that the model sees. Nothing becomes null; what JSON can't carry is said so, because the tool has run. */
function asJson(result: unknown): JsonValue {
  try {
    return JSON.parse(JSON.stringify(result) ?? 'null') as JsonValue;
  } catch (error) {
    return { note: `The tool ran, but what it returned is no JSON: ${(error as Error).message}` };
  }
}

/** A tool that does not heed its signal is not waited for: nobody knows what it comes to. */
function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('The tool took longer than limits.toolTimeoutMs, or the run was cancelled.'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}
