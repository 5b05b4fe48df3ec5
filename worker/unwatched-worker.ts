import { type CompiledWorkerOptions, type Logger, Worker } from '@temporalio/worker';

/**
 * The SDK's worker, but for one thing: that one starts a thread of the operating system for each of its calls into workflow
 * code, three and more for every workflow task, to stop code that never comes back. This one starts none. It is for our own
 * workflows, whose loop counts its turns (`domain/agent-run/turns.ts`), and never for a project's. See docs/decisions.
 */
export class UnwatchedWorker extends Worker {
  protected static override createWorkflowCreator(bundle: object, options: CompiledWorkerOptions, logger: Logger) {
    const unwatched: Record<keyof Pick<CompiledWorkerOptions, 'isolateExecutionTimeoutMs'>, unknown> = { isolateExecutionTimeoutMs: undefined };
    return Worker.createWorkflowCreator(bundle as never, { ...options, ...(unwatched as object) }, logger);
  }
}
