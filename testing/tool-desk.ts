import type { ChildProcess } from 'node:child_process';
import type { JsonObject } from '../contracts/json.ts';
import type { ToolDefinition } from '../contracts/task.ts';
import type { ToolBindingRuntime, ToolContext, ToolDispatch, ToolReconciliation } from '../domain/tool/runtime-port.ts';

/** A replaced tool runs in the test, and its worker is another process: one question and one answer for each call. */
interface ToolQuestion {
  readonly type: 'tool';
  readonly id: number;
  readonly ask: 'dispatch' | 'reconcile';
  readonly tool: ToolDefinition;
  readonly args: JsonObject;
  readonly context: Omit<ToolContext, 'signal'>;
}
interface ToolAbort {
  readonly type: 'toolAbort';
  readonly id: number;
}
type Answer = { readonly type: 'notReplaced' } | ToolDispatch | ToolReconciliation;
interface ToolAnswer {
  readonly type: 'toolAnswer';
  readonly id: number;
  readonly answer: Answer;
}

/** In the test: answers the calls of a worker process. `runtimeOf` is null for a tool that is not replaced. */
export function serveTools(worker: ChildProcess, runtimeOf: (tool: ToolDefinition) => ToolBindingRuntime | null): void {
  const open = new Map<number, AbortController>();
  worker.on('message', (message) => {
    const said = message as unknown as ToolQuestion | ToolAbort | { readonly type?: undefined };
    if (said.type === 'toolAbort') open.get(said.id)?.abort();
    if (said.type !== 'tool') return;
    const controller = new AbortController();
    open.set(said.id, controller);
    void answerOf(said, runtimeOf(said.tool), controller.signal).then((answer) => {
      open.delete(said.id);
      // A worker that was killed meanwhile hears nothing.
      if (worker.connected) worker.send({ type: 'toolAnswer', id: said.id, answer } satisfies ToolAnswer, () => undefined);
    });
  });
  worker.on('exit', () => {
    for (const controller of open.values()) controller.abort();
  });
}

async function answerOf(question: ToolQuestion, runtime: ToolBindingRuntime | null, signal: AbortSignal): Promise<Answer> {
  const { ask, tool, args, context } = question;
  if (!runtime) return { type: 'notReplaced' };
  try {
    if (ask === 'dispatch') return await runtime.dispatch(tool, args, { ...context, signal });
    return (await runtime.reconcile?.(tool, args, { ...context, signal })) ?? { type: 'unknown' };
  } catch (error) {
    return { type: 'unknown', message: String(error) };
  }
}

/** In the worker process: asks the test before each call, and runs the real tool where it is not replaced. */
export function askingRuntimes(base: (tool: ToolDefinition) => ToolBindingRuntime): (tool: ToolDefinition) => ToolBindingRuntime {
  const waiting = new Map<number, (answer: Answer) => void>();
  let lastId = 0;
  process.on('message', (message) => {
    const said = message as ToolAnswer | { readonly type?: undefined };
    if (said.type !== 'toolAnswer') return;
    waiting.get(said.id)?.(said.answer);
    waiting.delete(said.id);
  });
  const asked = (ask: ToolQuestion['ask'], tool: ToolDefinition, args: JsonObject, { signal, ...context }: ToolContext): Promise<Answer> =>
    new Promise((resolve) => {
      lastId += 1;
      const id = lastId;
      waiting.set(id, resolve);
      signal.addEventListener('abort', () => process.send?.({ type: 'toolAbort', id } satisfies ToolAbort), { once: true });
      process.send?.({ type: 'tool', id, ask, tool, args, context } satisfies ToolQuestion);
    });
  return (tool) => ({
    destination: () => base(tool).destination(tool),
    async dispatch(_tool, args, context) {
      const answer = await asked('dispatch', tool, args, context);
      return answer.type === 'notReplaced' ? await base(tool).dispatch(tool, args, context) : (answer as ToolDispatch);
    },
    async reconcile(_tool, args, context) {
      const answer = await asked('reconcile', tool, args, context);
      if (answer.type !== 'notReplaced') return answer as ToolReconciliation;
      return (await base(tool).reconcile?.(tool, args, context)) ?? { type: 'unknown' };
    },
  });
}
