import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import { inject } from 'vitest';
import { openStore } from '../../adapters/stores/open-store.ts';
import type { BillEntry } from '../../adapters/providers/simulated/bill.ts';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import { startTemporalServer, type TemporalServer } from '../../client/dev/temporal-server.ts';
import type { AgentRunInput, RunStatusView } from '../../contracts/agent-run.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import { type TaskDefinition, taskDefinitionSchema } from '../../contracts/task.ts';
import { AGENT_RUN_WORKFLOW } from '../../contracts/temporal.ts';
import type { RunRecord, Store } from '../../domain/store/port.ts';
import { waitFor } from './wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type BillLine = BillEntry;

/** A real Temporal server, a simulated provider and workers, each a process of its own in a folder of its own. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-test-'));
  readonly #env: NodeJS.ProcessEnv;
  readonly #dynamicConfig: readonly string[];
  #database: { readonly databaseUrl?: string } = {};
  #server!: TemporalServer;
  #port = 0;
  #provider!: ReadyChild;
  /** One for each start of the server. A call under way on an older one finds the new server by itself. */
  readonly #connections: Connection[] = [];
  readonly workers: ReadyChild[] = [];
  store!: Store;
  client!: Client;

  constructor(env: NodeJS.ProcessEnv = {}, dynamicConfig: readonly string[] = []) {
    this.#env = env;
    this.#dynamicConfig = dynamicConfig;
  }

  async open(options: {
    readonly scenarios: readonly ScenarioInput[];
    readonly workers?: number;
    readonly providerArgs?: readonly string[];
    /** A migrated Postgres database, where the store is not to be a SQLite file. */
    readonly databaseUrl?: string;
  }): Promise<this> {
    try {
      await this.startServer();
      await this.startProvider(options.scenarios, options.providerArgs ?? []);
      this.#database = options.databaseUrl === undefined ? {} : { databaseUrl: options.databaseUrl };
      this.store = await openStore({ home: this.folder, ...this.#database });
      for (let count = options.workers ?? 1; count > 0; count -= 1) await this.startWorker();
      return this;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async startServer(): Promise<void> {
    this.#server = await startTemporalServer({
      cliPath: inject('temporalCli'),
      folder: join(this.folder, 'temporal'),
      namespace: 'default',
      headless: true,
      port: this.#port,
      dynamicConfig: this.#dynamicConfig,
    });
    this.#port = Number(this.#server.address.split(':')[1]);
    const connection = await Connection.connect({ address: this.#server.address });
    this.#connections.push(connection);
    this.client = new Client({ connection });
  }

  async killServer(): Promise<void> {
    process.kill(this.#server.pid, 'SIGKILL');
    await this.#server.exited;
  }

  async startProvider(scenarios: readonly ScenarioInput[], args: readonly string[]): Promise<void> {
    const file = join(this.folder, 'scenarios.json');
    writeFileSync(file, JSON.stringify(scenarios));
    const script = join(ROOT, 'adapters', 'providers', 'simulated', 'main.ts');
    const folder = join(this.folder, 'scenarios');
    const files = scenarios.map((scenario) => {
      const path = join(this.folder, `scenario-${scenario.id}.json`);
      writeFileSync(path, JSON.stringify(scenario));
      return ['--scenarios', path];
    });
    rmSync(folder, { recursive: true, force: true });
    this.#provider = await startChild({
      name: 'simulated provider',
      script,
      args: ['--port', '0', '--bill', this.billPath, ...files.flat(), ...args],
      env: process.env,
      logPath: join(this.folder, 'provider.log'),
    });
  }

  get billPath(): string {
    return join(this.folder, 'bill.jsonl');
  }

  /** The simulated provider, with `/v1`. */
  get providerUrl(): string {
    return String(this.#provider.ready.url);
  }

  get address(): string {
    return this.#server.address;
  }

  get environment(): NodeJS.ProcessEnv {
    const { OPENAI_API_KEY: _key, DATABASE_URL: _url, ...rest } = process.env;
    return {
      ...rest,
      ...(this.#database.databaseUrl === undefined ? {} : { DATABASE_URL: this.#database.databaseUrl }),
      TOLLGATE_HOME: this.folder,
      TEMPORAL_ADDRESS: this.#server.address,
      TOLLGATE_SIMULATED_URL: String(this.#provider.ready.url),
      TOLLGATE_LOG_LEVEL: 'warn',
      ...this.#env,
    };
  }

  /** `root` is where its code is, for a worker of another version. */
  async startWorker(env: NodeJS.ProcessEnv = {}, root = ROOT): Promise<ReadyChild> {
    const worker = await startChild({
      name: 'worker',
      script: join(root, 'worker', 'main.ts'),
      env: { ...this.environment, ...env },
      cwd: root,
      logPath: join(this.folder, `worker-${this.workers.length}.log`),
      readyTimeoutMs: 90_000,
    });
    this.workers.push(worker);
    return worker;
  }

  async kill(worker: ReadyChild): Promise<void> {
    process.kill(worker.pid, 'SIGKILL');
    await worker.exited;
  }

  /** What the provider says it charged, over all requests or those of one run's attempts. */
  async bill(agentRunId?: string): Promise<number> {
    const lines = this.billLines();
    if (agentRunId === undefined) return lines.reduce((sum, line) => sum + line.nanoUsd, 0);
    const { runKey } = await this.run(agentRunId);
    // A worker that has just begun to seal the run is ahead of this process by a moment.
    const listed = await waitFor('what the key of the run opens', () => this.store.listAttempts(runKey));
    const attempts = new Set(listed.map((attempt) => String(attempt.attemptId)));
    return lines.filter((line) => attempts.has(String(line.clientRequestId))).reduce((sum, line) => sum + line.nanoUsd, 0);
  }

  billLines(): BillLine[] {
    if (!existsSync(this.billPath)) return [];
    const text = readFileSync(this.billPath, 'utf8');
    return text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line) as BillLine]));
  }

  async start(
    definition: Partial<TaskDefinition> & Pick<TaskDefinition, 'prompt'>,
    options: {
      readonly id: string;
      readonly message?: string;
      readonly budgetLimitNanoUsd?: number;
      readonly workflow?: string;
      readonly traceparent?: string;
    },
  ): Promise<WorkflowHandle> {
    const task = taskDefinitionSchema.parse({
      version: 1,
      name: 'test',
      models: [{ model: 'gpt-5-mini' }, { model: 'gpt-5-nano' }],
      maxOutputTokens: 512,
      budgetLimitNanoUsd: 500_000_000,
      gates: { irreversible: { role: 'lead' } },
      limits: {},
      ...definition,
    });
    const contentDigest = await this.store.putContent(JSON.stringify(task));
    const input: AgentRunInput = {
      version: 1,
      task: { type: 'stored', name: task.name, contentDigest },
      input: { message: options.message ?? `Please help. (${options.id})` },
      tenant: 'acme',
      feature: 'support',
      requester: 'tester',
      ...(options.budgetLimitNanoUsd === undefined ? {} : { budgetLimitNanoUsd: options.budgetLimitNanoUsd }),
      ...(options.traceparent === undefined ? {} : { traceparent: options.traceparent }),
    };
    return this.client.workflow.start(options.workflow ?? AGENT_RUN_WORKFLOW, { taskQueue: 'tollgate', workflowId: options.id, args: [input] });
  }

  async run(agentRunId: string): Promise<RunRecord> {
    const run = await this.store.latestRun(agentRunId as AgentRunId);
    if (!run) throw new Error(`the store has no run ${agentRunId}`);
    return run;
  }

  async openGate(handle: WorkflowHandle) {
    return waitFor('an open gate', async () => {
      const run = await this.store.latestRun(handle.workflowId as AgentRunId);
      const [gate] = run ? await this.store.listGates({ runKey: run.runKey, status: 'open', limit: 1 }) : [];
      if (!gate) return null;
      // The store has a gate before the run waits at it.
      const view = (await handle.query('getRunStatus')) as RunStatusView;
      return view.gates.some((open) => open.approvalId === gate.approvalId) ? gate : null;
    });
  }

  async approve(handle: WorkflowHandle): Promise<void> {
    const gate = await this.openGate(handle);
    await handle.signal('approve', { approvalId: gate.approvalId, actionDigest: gate.actionDigest });
  }

  /** Settled ≤ bill ≤ settled + held (+ overrun), and all of it within the limit. */
  async ledgerProblems(agentRunId: string): Promise<string[]> {
    const { runKey } = await this.run(agentRunId);
    const ledger = await this.store.getLedger(runKey);
    if (!ledger) return ['no ledger'];
    const bill = await this.bill(agentRunId);
    const { settledNanoUsd: settled, heldNanoUsd: held, limitNanoUsd: limit, overrunNanoUsd: overrun, writtenOffNanoUsd: writtenOff } = ledger;
    return [
      settled <= bill ? [] : [`settled ${settled} > bill ${bill}`],
      bill <= settled + held + writtenOff + overrun ? [] : [`bill ${bill} > settled ${settled} + held ${held}`],
      settled + held + writtenOff <= limit + overrun ? [] : [`settled ${settled} + held ${held} > limit ${limit}`],
    ].flat();
  }

  /** Writes the history of a run to test/replay, where TOLLGATE_RECORD_HISTORIES is set. */
  async record(...workflowIds: readonly string[]): Promise<void> {
    if (!process.env.TOLLGATE_RECORD_HISTORIES) return;
    for (const workflowId of workflowIds) {
      const history = await this.client.workflow.getHandle(workflowId).fetchHistory();
      writeFileSync(join(ROOT, 'test', 'replay', 'histories', `${workflowId}.bin`), temporal.api.history.v1.History.encode(history).finish());
    }
  }

  async close(): Promise<void> {
    for (const worker of this.workers) {
      try {
        process.kill(worker.pid, 'SIGCONT');
        process.kill(worker.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    for (const connection of this.#connections) await connection.close().catch(() => undefined);
    await this.#provider?.stop();
    await this.#server?.stop();
    await this.store?.close();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
