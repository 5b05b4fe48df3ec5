import { join } from 'node:path';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Project } from '../adapters/tasks/project.ts';
import { startChild } from '../client/dev/child-process.ts';
import { ownScript } from '../client/dev/own-script.ts';
import { childEnvironment } from '../config/load.ts';
import type { SettingName } from '../config/schema.ts';
import type { ToolDefinition } from '../contracts/task.ts';
import type { ToolBindingRuntime } from '../domain/tool/runtime-port.ts';
import { startTollgateWorker } from '../worker/index.ts';
import { serveTools } from './tool-desk.ts';

const READY_TIMEOUT_MS = 120_000;

export interface TestWorker {
  stop(): Promise<void>;
  /** Absent where the worker is part of the test's own process. */
  kill?(): Promise<void>;
}

export interface TestWorkerOptions {
  readonly folder: string;
  readonly settings: { readonly [Name in SettingName]?: string | undefined };
  readonly project: Pick<Project, 'spec' | 'registry'>;
  /** What runs in place of a tool; null for one that is not replaced. Asked at each call. */
  readonly replacementOf: (tool: ToolDefinition) => ToolBindingRuntime | null;
}

/** A worker in this process: quick to start, and the tasks' own objects are at hand. */
export async function startWorkerHere({ settings, project, replacementOf }: TestWorkerOptions): Promise<TestWorker> {
  quietenRuntime();
  const worker = await startTollgateWorker({ config: settings.TOLLGATE_CONFIG ?? project.spec, settings }, (ports) => ({
    ...ports,
    runtimeOf: (tool) => {
      const replaced = replacementOf(tool);
      return replaced ? { ...replaced, destination: () => ports.runtimeOf(tool).destination(tool) } : ports.runtimeOf(tool);
    },
  }));
  // Its end is awaited by stop(); a failure before that must not end the test's process.
  worker.stopped.catch(() => undefined);
  return { stop: () => worker.stop() };
}

/** A worker as a process of its own, which loads the project from its file and can be killed. */
export async function startWorkerProcess({ folder, settings, replacementOf }: TestWorkerOptions): Promise<TestWorker> {
  const child = await startChild({
    name: 'worker',
    script: ownScript('testing/worker-main'),
    env: childEnvironment(settings),
    cwd: process.cwd(),
    logPath: join(folder, 'worker.log'),
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  serveTools(child.process, replacementOf);
  return {
    stop: () => child.stop(),
    async kill() {
      process.kill(child.pid, 'SIGKILL');
      await child.exited;
    },
  };
}

/** Temporal's SDK logs each change of a worker's state; a process has one runtime, and one that exists already stays as it is. */
function quietenRuntime(): void {
  try {
    Runtime.install({ logger: new DefaultLogger('ERROR') });
  } catch {}
}
