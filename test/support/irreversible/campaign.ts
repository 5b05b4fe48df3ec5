import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openLocalKey } from '../../../adapters/keys/local-key.ts';
import { type ReadyChild, startChild } from '../../../client/dev/child-process.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { ToolCallRecord } from '../../../domain/store/port.ts';
import { seededRandom } from '../seeded-random.ts';
import { Stage } from '../stage.ts';
import { httpTools } from '../tools.ts';
import { Approvers, type Plan } from './approvers.ts';
import { type Execution, runProblems } from './judge.ts';

export interface IrreversibleOptions {
  readonly seed: number;
  readonly runs: number;
  /** A migrated Postgres database; else the store is a SQLite file. */
  readonly databaseUrl?: string;
}

export interface IrreversibleReport {
  readonly problems: readonly string[];
  readonly actions: { readonly approved: number; readonly denied: number; readonly expired: number; readonly executed: number };
  readonly inDoubt: { readonly byGate: number; readonly open: number };
  readonly strikes: { readonly killed: number; readonly frozen: number };
  readonly forged: Readonly<Record<string, number>>;
  readonly seconds: number;
}

const AT_ONCE = 10;
const GATE_MS = 20_000;
const scenarios = (['pay', 'wire'] as const).map((tool) => ({
  id: tool,
  match: { system: tool.toUpperCase() },
  turns: [{ toolCalls: [{ name: tool, arguments: { amount: 5 } }] }, { text: 'all done' }],
}));

/**
 * Many runs with one irreversible action each, at a destination that is a process of its own and loses answers, while workers are
 * killed and frozen in the moment in which it is told to act. See destination-main.ts and approvers.ts.
 */
export class IrreversibleCampaign {
  readonly #options: IrreversibleOptions;
  readonly #random;
  readonly #stage = new Stage({ TOLLGATE_UNSIGNED_SIGNALS: 'refuse' });
  readonly #running = new Set<string>();
  readonly #problems: string[] = [];
  readonly #strikes = { killed: 0, frozen: 0 };
  #destination: ReadyChild | null = null;
  #isOver = false;

  constructor(options: IrreversibleOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async run(): Promise<IrreversibleReport> {
    const startedAtMs = Date.now();
    const { seed, databaseUrl } = this.#options;
    try {
      await this.#stage.open({ scenarios, workers: 2, ...(databaseUrl === undefined ? {} : { databaseUrl }) });
      this.#destination = await startChild({
        name: 'destination',
        script: fileURLToPath(new URL('./destination-main.ts', import.meta.url)),
        args: [String(seed), this.#logPath],
        env: process.env,
        logPath: join(this.#stage.folder, 'destination.log'),
      });
      const [own, foreign] = await Promise.all([openLocalKey(this.#stage.folder), openLocalKey(join(this.#stage.folder, 'foreign'))]);
      const keys = { own: own.signer, foreign: foreign.signer };
      const approvers = new Approvers(this.#stage, keys, seededRandom(seed + 1), (gate) => this.#wasExecuted(gate));
      const helpers = [this.#always(200, () => approvers.decideAll()), this.#always(50, () => this.#strikeAtArrivals())];
      try {
        await this.#playRuns();
      } finally {
        this.#isOver = true;
        await Promise.all(helpers);
      }
      const report = await this.#judge(approvers.plans);
      return { ...report, strikes: this.#strikes, forged: approvers.forged, seconds: Math.round((Date.now() - startedAtMs) / 1_000) };
    } finally {
      await this.#destination?.stop();
      await this.#stage.close();
    }
  }

  get #logPath(): string {
    return join(this.#stage.folder, 'executions.jsonl');
  }

  #executions(): Execution[] {
    if (!existsSync(this.#logPath)) return [];
    return readFileSync(this.#logPath, 'utf8')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Execution]));
  }

  async #always(everyMs: number, body: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await body().catch(() => undefined);
      await sleep(everyMs);
    }
  }

  async #playRuns(): Promise<void> {
    let started = 0;
    const { runs } = this.#options;
    while (started < runs || this.#running.size > 0) {
      while (this.#running.size < AT_ONCE && started < runs) {
        await this.#start(started);
        started += 1;
      }
      await sleep(300);
      for (const id of [...this.#running]) await this.#collect(id);
    }
  }

  async #start(index: number): Promise<void> {
    const tool = this.#random.chance(0.5) ? 'pay' : 'wire';
    const tools = httpTools(String(this.#destination?.ready.url), { [tool]: 'irreversible' }) as never;
    const gates = { irreversible: { role: 'lead', expiresAfterMs: GATE_MS }, inDoubt: { role: 'lead', expiresAfterMs: 3_600_000 } } as never;
    const limits = { toolTimeoutMs: 3_000, maxTriesPerGate: 200 } as never;
    await this.#stage.start({ prompt: tool.toUpperCase(), tools, gates, limits }, { id: `run-${index}` });
    this.#running.add(`run-${index}`);
  }

  async #collect(id: string): Promise<void> {
    const handle = this.#stage.client.workflow.getHandle(id);
    const { status } = await handle.describe().catch(() => ({ status: { name: 'RUNNING' } }));
    if (status.name === 'RUNNING') return;
    if (status.name !== 'COMPLETED') this.#problems.push(`${id} ended as ${status.name}`);
    this.#running.delete(id);
  }

  #seen = 0;
  /** An execution in the destination's file means that a worker waits for its answer just now: one in three is struck then. */
  async #strikeAtArrivals(): Promise<void> {
    const count = this.#executions().length;
    if (count === this.#seen) return;
    this.#seen = count;
    if (!this.#random.chance(0.35)) return;
    const alive = this.#stage.workers.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null);
    const victim = alive[this.#random.below(alive.length)];
    if (!victim) return;
    if (this.#random.chance(0.4)) {
      this.#strikes.frozen += 1;
      process.kill(victim.pid, 'SIGSTOP');
      await sleep(1_000 + this.#random.below(8_000));
      process.kill(victim.pid, 'SIGCONT');
      return;
    }
    this.#strikes.killed += 1;
    await this.#stage.kill(victim);
    await this.#stage.startWorker();
  }

  /** What a person would find who looks at the destination. */
  async #wasExecuted(gate: GateRecord): Promise<boolean> {
    const calls = await this.#stage.store.listToolCalls(gate.runKey);
    const about = calls.find(({ approvalId }) => approvalId === gate.aboutApprovalId);
    return this.#executions().some(({ idempotencyKey }) => idempotencyKey === about?.idempotencyKey);
  }

  async #judge(plans: ReadonlyMap<string, Plan>): Promise<Omit<IrreversibleReport, 'strikes' | 'forged' | 'seconds'>> {
    const executions = this.#executions();
    const gates: GateRecord[] = [];
    const calls: ToolCallRecord[] = [];
    for (let index = 0; index < this.#options.runs; index += 1) {
      const { runKey } = await this.#stage.run(`run-${index}`);
      gates.push(...(await this.#stage.store.listGates({ runKey, limit: 100 })));
      calls.push(...(await this.#stage.store.listToolCalls(runKey)));
    }
    const actions = gates.filter(({ kind }) => kind === 'action');
    const withStatus = (...statuses: GateRecord['status'][]) => actions.filter(({ status }) => statuses.includes(status)).length;
    return {
      problems: [...this.#problems, ...runProblems({ executions, calls, gates, plans })],
      actions: { approved: withStatus('consumed'), denied: withStatus('denied'), expired: withStatus('expired'), executed: executions.length },
      inDoubt: {
        byGate: gates.filter(({ kind }) => kind === 'inDoubt').length,
        open: calls.filter(({ status }) => status === 'intent' || status === 'inDoubt').length,
      },
    };
  }
}
