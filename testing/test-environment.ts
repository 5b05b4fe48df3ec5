import type { BillEntry } from '../adapters/providers/simulated/bill.ts';
import type { SimulatedProvider } from '../adapters/providers/simulated/server.ts';
import type { Project } from '../adapters/tasks/project.ts';
import type { AgentClient } from '../client/agent-client.ts';
import type { InputOf, StartableTask } from '../client/known-task.ts';
import type { OutputOf, RunOutcome } from '../client/run-result.ts';
import type { StartOptions } from '../client/start-request.ts';
import type { SettingName } from '../config/schema.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { ToolDefinition } from '../contracts/task.ts';
import type { Store } from '../domain/store/port.ts';
import type { ToolBindingRuntime } from '../domain/tool/runtime-port.ts';
import type { ApproverLoop, ClientOf, RecordedDecision } from './approver.ts';
import type { pricedModels } from './model-prices.ts';
import { type ToolReplacements, replacedRuntime } from './replaced-tools.ts';
import type { ScriptedModel } from './scripted-model.ts';
import type { Stops } from './stops.ts';
import { type RunSurroundings, TestRun, type WaitOptions } from './test-run.ts';
import { startWorkerHere, startWorkerProcess, type TestWorker } from './test-worker.ts';

const LOOK_INTERVAL_MS = 50;

interface Parts {
  readonly folder: string;
  readonly temporalAddress: string;
  readonly project: Pick<Project, 'spec' | 'registry'>;
  readonly settings: { readonly [Name in SettingName]?: string | undefined };
  readonly model: ScriptedModel;
  readonly prices: ReturnType<typeof pricedModels>;
  readonly store: Store;
  readonly clientOf: ClientOf;
  readonly approver: ApproverLoop;
  readonly provider: SimulatedProvider;
  readonly stops: Stops;
  readonly isProcess: boolean;
}

/** A run that has ended, with how it ended. */
export type EndedRun<Task extends StartableTask> = TestRun<Task> & { readonly outcome: RunOutcome<OutputOf<Task>> };

/** Everything that a run needs, under a test's control. Made by `startTestEnvironment`. */
export class TestEnvironment {
  /** What the models say, and what they were asked. */
  readonly model: ScriptedModel;
  /** The client that a backend has, connected to this environment. */
  readonly client: AgentClient;
  /** Holds the store, the bill and the logs; removed by `stop`. */
  readonly folder: string;
  /** Where the Temporal server answers, for a client of one's own. */
  readonly temporalAddress: string;
  readonly #parts: Parts;
  #replacements: ToolReplacements = {};
  #worker: TestWorker | null = null;

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts;
    this.model = parts.model;
    this.folder = parts.folder;
    this.temporalAddress = parts.temporalAddress;
    this.client = parts.clientOf({ name: 'tester', roles: ['*'] });
    parts.stops.add(async () => await this.#worker?.stop());
  }

  /** Starts a run and returns at once. The task is a task object, a task given as files, or the name of one in the configuration. */
  async start<Task extends StartableTask>(task: Task, input: InputOf<Task>, options?: StartOptions): Promise<TestRun<Task>> {
    const startable: StartableTask = task;
    if (typeof startable !== 'string' && 'definition' in startable) this.#parts.prices.add([startable.definition]);
    const { agentRunId } = await this.client.start(task, input, options);
    return new TestRun(agentRunId, task, this.#surroundings());
  }

  /**
   * Runs a task to its end and compares its ledger with the bill.
   * @throws Error where it waits at a gate that the approver leaves open, where it does not end in time (`timeoutMs`), or where
   * ledger and bill disagree.
   */
  async run<Task extends StartableTask>(task: Task, input: InputOf<Task>, { timeoutMs, ...options }: StartOptions & WaitOptions = {}): Promise<EndedRun<Task>> {
    const run = await this.start(task, input, options);
    const waiting = new AbortController();
    const ended = run.ended(timeoutMs === undefined ? {} : { timeoutMs }).finally(() => waiting.abort());
    const outcome = await Promise.race([ended, this.#neverDecided(run, waiting.signal)]);
    const problems = await run.moneyProblems();
    if (problems.length > 0) throw new Error(`Ledger and bill of run "${run.agentRunId}" disagree: ${problems.join('; ')}`);
    return Object.assign(run, { outcome });
  }

  /** Replaces tools from now on, beside those replaced before; a name given again counts anew. */
  replaceTools(replacements: ToolReplacements): void {
    this.#replacements = { ...this.#replacements, ...replacements };
  }

  /** What the approver was asked so far and what came of it, over all runs. */
  get decisions(): readonly RecordedDecision[] {
    return this.#parts.approver.decisions;
  }

  /** Everything that the scripted model's provider was asked and charged. */
  bill(): readonly BillEntry[] {
    return this.#parts.provider.bill();
  }

  /** Starts the worker again after `killWorker` or `stopWorker`. One that runs already stays. */
  async startWorker(): Promise<void> {
    if (this.#worker) return;
    const { folder, settings, project, isProcess } = this.#parts;
    const options = { folder, settings, project, replacementOf: (tool: ToolDefinition) => this.#replacementOf(tool) };
    this.#worker = await (isProcess ? startWorkerProcess(options) : startWorkerHere(options));
  }

  /** Stops the worker in good order. Runs wait until another one starts. */
  async stopWorker(): Promise<void> {
    await this.#worker?.stop();
    this.#worker = null;
  }

  /** Kills the worker's process (SIGKILL), in the middle of whatever it does. @throws TollgateError where it has no process of its own. */
  async killWorker(): Promise<void> {
    if (!this.#worker) return;
    if (!this.#worker.kill)
      throw new TollgateError('invalidInput', `The worker runs in the test's own process. Start the environment with { config: '<path>', worker: 'process' }.`);
    await this.#worker.kill();
    this.#worker = null;
  }

  /** Stops everything and removes its folder. May be called twice. */
  async stop(): Promise<void> {
    await this.#parts.stops.run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #surroundings(): RunSurroundings {
    const { store, clientOf, approver } = this.#parts;
    return { store, client: this.client, clientOf, approver, bill: () => this.bill() };
  }

  #replacementOf(tool: ToolDefinition): ToolBindingRuntime | null {
    const replacement = Object.hasOwn(this.#replacements, tool.name) ? this.#replacements[tool.name] : undefined;
    return replacement ? replacedRuntime(tool, replacement, this.#parts.project.registry) : null;
  }

  async #neverDecided(run: TestRun, signal: AbortSignal): Promise<never> {
    for (;;) {
      const stuck = await run.stuck();
      if (stuck !== null && !signal.aborted)
        throw new Error(
          `The run "${run.agentRunId}" does not end. ${stuck} Give startTestEnvironment({ approver }), or use start() with run.gate() and run.approve().`,
        );
      if (signal.aborted) return await new Promise<never>(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
    }
  }
}
