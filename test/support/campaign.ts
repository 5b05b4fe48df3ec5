import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import pg from 'pg';
import type { ScenarioInput } from '../../adapters/providers/simulated/scenario.ts';
import { createMoneyDoor } from '../../client/money-door.ts';
import type { AgentRunResult } from '../../contracts/agent-run.ts';
import type { GateRecord } from '../../domain/approval/gate.ts';
import { LONG_REPLY_TOKENS } from '../../domain/task/candidates.ts';
import { campaignGateProblems, campaignMoneyProblems, type PaidTwice, quotaProblems, type Sample, sampleProblems } from './campaign-judge.ts';
import { Destination } from './destination.ts';
import { secondOpinion } from './litellm-judge.ts';
import { seededRandom } from './seeded-random.ts';
import { type BillLine, Stage } from './stage.ts';
import { httpTools } from './tools.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly runs: number;
  /** At least this many faults: what is done to processes and to the store, and what the provider does. */
  readonly faults: number;
  /** A migrated Postgres database; else the store is a SQLite file. */
  readonly databaseUrl?: string;
  /** LiteLLM's own price map, as a second judge of the bill. */
  readonly priceMap?: string | undefined;
}

export interface CampaignReport {
  readonly problems: readonly string[];
  /** Faults by kind. */
  readonly faults: Readonly<Record<string, number>>;
  readonly samples: number;
  /** In runs whose responses the provider keeps, and in others. All of it was held and then settled. */
  readonly paidTwice: Readonly<Record<Storage, PaidTwice>>;
  readonly heldBeforeReconciliationNanoUsd: number;
  readonly billNanoUsd: number;
  /** Charges that LiteLLM's own price map was asked about; null where there is none. */
  readonly secondOpinions: number | null;
  readonly seconds: number;
}

type Storage = 'allowed' | 'forbidden';

const AT_ONCE = 12;
const STORE_LOCK_MS = 4_000;
const SETTLED_WITHIN_MS = 90_000;
/** Of the tenant of all runs: the one scope that they and both workers write at the same time. */
const QUOTA_NANO_USD = 1_000_000_000_000;
/** Those of streams happen where a reply is streamed: in the runs that may have long ones and are not in the background. */
const STREAM_FAULTS = 'cutStream,errorInStream,endsEarly,malformedChunk,emptyStream,slowStream';
const PROVIDER_FAULTS = `rateLimit,serverError,overloaded,cutAfterWork,malformed,slow,hang,usageAboveBound,${STREAM_FAULTS}`;

const scenarios: ScenarioInput[] = [
  {
    id: 'campaign',
    match: { system: 'CAMPAIGN' },
    turns: [
      { toolCalls: [0, 1, 2].map((part) => ({ name: 'look', arguments: { part } })) },
      { toolCalls: [{ name: 'pay', arguments: { amount: 5 } }] },
      { toolCalls: [{ name: 'note', arguments: { text: 'paid' } }] },
      { toolCalls: [{ name: 'wire', arguments: { amount: 7 } }] },
      { toolCalls: [{ name: 'look', arguments: { part: 4 } }] },
      { text: 'all done' },
    ],
  },
];

/** What is done to processes and to the store, as often as it stands here. */
const STRIKES = [
  'worker killed',
  'store locked',
  'worker frozen and woken',
  'server killed',
  'worker killed',
  'worker killed',
  'worker frozen and woken',
] as const;
type Strike = (typeof STRIKES)[number];

/** What the approver decided, and when it was sent. */
export interface Decided {
  readonly verdict: 'approve' | 'deny';
  readonly atMs: number;
  readonly gate: GateRecord;
}

/**
 * Many runs, a dozen at a time, while workers are killed and frozen, the Temporal server is killed, the store is locked and the
 * provider fails in every way it can. The invariants are sampled all the time for every run that goes on; in the end what was
 * held is reconciled, and then the ledger is the bill.
 */
export class Campaign {
  readonly #options: CampaignOptions;
  readonly #random;
  readonly #stage = new Stage();
  /** `pay` can be asked whether it was done, `wire` cannot. One of each per run, so a destination knows a run by its URL. */
  readonly #destinations = new Map<string, Destination>();
  readonly #decided = new Map<string, Decided>();
  readonly #results = new Map<string, AgentRunResult | Error>();
  readonly #running = new Set<string>();
  readonly #storage = new Map<string, Storage>();
  readonly #strikes: string[] = [];
  readonly #problems = new Set<string>();
  #samples = 0;
  #isOver = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
  }

  async run(): Promise<CampaignReport> {
    const startedAtMs = Date.now();
    const { seed, databaseUrl } = this.#options;
    try {
      await this.#stage.open({
        scenarios,
        workers: 2,
        providerArgs: ['--seed', `${seed}`, '--fault-rate', '0.2', '--latency-ms', '50-800', '--faults', PROVIDER_FAULTS, '--bursts', '1500/20000'],
        ...(databaseUrl === undefined ? {} : { databaseUrl }),
      });
      const quota = await this.#stage.store.setQuota({ tenant: 'acme', feature: null, per: 'month', unit: 'nanoUsd', limit: QUOTA_NANO_USD }, 'command');
      const helpers = [this.#always(250, () => this.#decideGates()), this.#always(500, () => this.#sample())];
      try {
        await this.#playRuns();
      } finally {
        this.#isOver = true;
        await Promise.all(helpers);
      }
      return await this.#judge(startedAtMs, quota.quotaId);
    } finally {
      await this.#stage.close();
      for (const destination of this.#destinations.values()) destination.close();
    }
  }

  /** Again and again until the end; what can't be done just now is done the next time. */
  async #always(everyMs: number, body: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      await body().catch(() => undefined);
      await sleep(everyMs);
    }
  }

  /** As many runs as were asked for, and further ones until there were enough faults. */
  async #playRuns(): Promise<void> {
    let started = 0;
    const isWanted = () => started < this.#options.runs || this.#faultCount() < this.#options.faults;
    do {
      while (this.#running.size < AT_ONCE && isWanted()) {
        await this.#startRun(started);
        started += 1;
      }
      // The last runs get peace to end in: a campaign that strikes for ever never ends.
      if (this.#running.size > 2 || isWanted()) this.#strikes.push(await this.#strike());
      await sleep(300 + this.#random.below(1_200));
      for (const id of [...this.#running]) await this.#collect(id);
    } while (this.#running.size > 0 || isWanted());
  }

  async #startRun(index: number): Promise<void> {
    const id = `run-${index}`;
    const destination = new Destination();
    await destination.open();
    this.#destinations.set(id, destination);
    const trouble = { delay: this.#random.below(2_500), isCut: this.#random.chance(0.3) };
    destination.delayMs = ({ tool }) => (tool === 'pay' || tool === 'wire' ? trouble.delay : 20);
    destination.isCut = ({ tool }) => (tool === 'pay' || tool === 'wire') && trouble.isCut;
    destination.answersOutcomes = (tool) => tool !== 'wire';
    const tools = httpTools(destination.url, { look: 'read', note: 'write', pay: 'irreversible', wire: 'irreversible' }) as never;
    const providerStorage = this.#random.chance(0.5) ? 'allowed' : 'forbidden';
    this.#storage.set(id, providerStorage);
    const maxOutputTokens = this.#random.chance(0.5) ? 256 : LONG_REPLY_TOKENS;
    const limits = { modelTimeoutMs: 5_000, maxAttemptsPerStep: 50 } as never;
    const start = () => this.#stage.start({ prompt: 'CAMPAIGN', tools, providerStorage, maxOutputTokens, limits }, { id });
    for (let tries = 1; ; tries += 1) {
      try {
        await start();
        break;
      } catch (error) {
        // The store may be locked, the server on its way up; the same id again is the same run.
        if (/already started/i.test(String(error))) break;
        if (tries === 20) throw error;
        await sleep(1_000);
      }
    }
    this.#running.add(id);
  }

  async #collect(id: string): Promise<void> {
    const handle: WorkflowHandle = this.#stage.client.workflow.getHandle(id);
    const { status } = await handle.describe().catch(() => ({ status: { name: 'RUNNING' } }));
    if (status.name === 'RUNNING') return;
    this.#results.set(id, await handle.result().catch((error: Error) => error));
    this.#running.delete(id);
  }

  /** Answers every open gate: mostly yes, some no; those in doubt by what the destination really did. */
  async #decideGates(): Promise<void> {
    for (const gate of await this.#stage.store.listGates({ status: 'open', limit: 100 })) {
      const destination = this.#destinations.get(gate.runKey.agentRunId);
      const before = this.#decided.get(gate.approvalId);
      // A signal that came before the run waited at its gate did not count: say it again.
      if (before && Date.now() - before.atMs < 2_000) continue;
      const asked = gate.tool as 'pay' | 'wire';
      const verdict =
        before?.verdict ?? (gate.kind === 'inDoubt' ? (destination?.count(asked) ? 'approve' : 'deny') : this.#random.chance(0.85) ? 'approve' : 'deny');
      this.#decided.set(gate.approvalId, { verdict, atMs: Math.min(before?.atMs ?? Date.now(), Date.now()), gate });
      const handle = this.#stage.client.workflow.getHandle(gate.runKey.agentRunId);
      await handle.signal(verdict, { approvalId: gate.approvalId, actionDigest: gate.actionDigest, reason: 'campaign' }).catch(() => undefined);
    }
  }

  /** One piece of bad luck: each kind once, then by the dice. */
  async #strike(): Promise<Strike> {
    const alive = this.#stage.workers.filter(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null);
    const victim = alive[this.#random.below(alive.length)];
    const kind = STRIKES[this.#strikes.length] ?? STRIKES[this.#random.below(STRIKES.length)] ?? 'worker killed';
    if (!victim || kind === 'server killed') {
      await this.#stage.killServer();
      await this.#stage.startServer();
      return 'server killed';
    }
    if (kind === 'store locked') {
      await this.#lockStore();
    } else if (kind === 'worker frozen and woken') {
      process.kill(victim.pid, 'SIGSTOP');
      await sleep(1_000 + this.#random.below(6_000));
      process.kill(victim.pid, 'SIGCONT');
    } else {
      await this.#stage.kill(victim);
      await this.#stage.startWorker();
    }
    return kind;
  }

  async #lockStore(): Promise<void> {
    const { databaseUrl } = this.#options;
    if (databaseUrl !== undefined) return lockPostgres(databaseUrl);
    const database = new DatabaseSync(join(this.#stage.folder, 'tollgate.db'), { timeout: 5_000 });
    try {
      database.exec('BEGIN IMMEDIATE');
      await sleep(STORE_LOCK_MS);
      database.exec('ROLLBACK');
    } catch {
      // Somebody else held it for that long: locked all the same.
    } finally {
      database.close();
    }
  }

  /** Empty before the first request. */
  #bill(): BillLine[] {
    return existsSync(this.#stage.billPath) ? this.#stage.billLines() : [];
  }

  #providerFaults(): string[] {
    return this.#bill().flatMap(({ fault }) => (fault === undefined || fault === 'cancelled' ? [] : [fault]));
  }

  #faultCount(): number {
    return this.#strikes.length + this.#providerFaults().length;
  }

  /** The invariants of every run that goes on, at this moment. */
  async #sample(): Promise<void> {
    for (const id of this.#running) {
      const run = await this.#stage.store.latestRun(id as never);
      if (!run) continue;
      // The bill only grows, and what is promised covers it: read in this order, each side may only err to the safe one.
      const billBefore = this.#bill();
      const attempts = await this.#stage.store.listAttempts(run.runKey);
      const ledger = await this.#stage.store.getLedger(run.runKey);
      if (!ledger) continue;
      const sample: Sample = { id, attempts, ledger, billBefore, billAfter: this.#bill() };
      this.#samples += 1;
      for (const problem of sampleProblems(sample)) this.#problems.add(problem);
    }
  }

  async #judge(startedAtMs: number, quotaId: string): Promise<CampaignReport> {
    const { store } = this.#stage;
    const held = (await store.openMoney()).held.nanoUsd;
    const door = createMoneyDoor({
      openStore: async () => store,
      connect: async () => this.#stage.client,
      actor: () => 'campaign',
      taskQueue: () => 'tollgate',
    });
    const deadline = Date.now() + SETTLED_WITHIN_MS;
    while ((await store.openMoney()).held.attempts > 0 && Date.now() < deadline) {
      await door.reconcile();
      await sleep(2_000);
    }
    for (const [id, result] of this.#results) {
      if (result instanceof Error) this.#problems.add(`${id} failed: ${String(result.cause ?? result)}`);
      else if (result.status !== 'completed') this.#problems.add(`${id} ended ${result.status}: ${result.message}`);
      for (const problem of campaignGateProblems(id, this.#destinations.get(id)?.arrivals ?? [], [...this.#decided.values()])) this.#problems.add(problem);
    }
    const bill = this.#bill();
    const paidTwice = { allowed: { steps: 0, nanoUsd: 0 }, forbidden: { steps: 0, nanoUsd: 0 } };
    for (const id of this.#results.keys()) {
      const { runKey } = await this.#stage.run(id);
      const money = campaignMoneyProblems(id, await store.listAttempts(runKey), await store.getLedger(runKey), bill);
      for (const problem of money.problems) this.#problems.add(problem);
      const sum = paidTwice[this.#storage.get(id) ?? 'forbidden'];
      sum.steps += money.paidTwice.steps;
      sum.nanoUsd += money.paidTwice.nanoUsd;
    }
    for (const problem of quotaProblems(await store.listQuotaWindows({ quotaId, limit: 10 }), bill)) this.#problems.add(problem);
    const opinion = this.#options.priceMap === undefined ? null : secondOpinion(this.#options.priceMap, bill);
    for (const problem of opinion?.problems ?? []) this.#problems.add(problem);
    const kinds = [...this.#strikes, ...this.#providerFaults()];
    return {
      problems: [...this.#problems],
      faults: Object.fromEntries([...new Set(kinds)].toSorted().map((kind) => [kind, kinds.filter((each) => each === kind).length])),
      samples: this.#samples,
      paidTwice,
      heldBeforeReconciliationNanoUsd: held,
      secondOpinions: opinion?.lines ?? null,
      billNanoUsd: bill.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0),
      seconds: Math.round((Date.now() - startedAtMs) / 1_000),
    };
  }
}

const DEADLOCK = '40P01';

/** Holds two tables. Somebody who has one and waits for the other is a deadlock that Postgres ends; then it is tried again. */
async function lockPostgres(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    for (let isLocked = false; !isLocked; ) {
      await client.query('BEGIN');
      isLocked = await client.query('LOCK TABLE tollgate.attempts, tollgate.runs IN ACCESS EXCLUSIVE MODE').then(
        () => true,
        (error: { readonly code?: string }) => {
          if (error.code !== DEADLOCK) throw error;
          return false;
        },
      );
      if (isLocked) await sleep(STORE_LOCK_MS);
      await client.query('ROLLBACK');
    }
  } finally {
    await client.end();
  }
}
