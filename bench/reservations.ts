/**
 * Reservations per second on one scope, SQLite beside Postgres, in interleaved rounds on this machine. Both write through
 * to the disk. Then 64 writers in four processes, each process with a run of its own, until a quota of their tenant is used
 * up: what they were promised against the limit. Prints JSON.
 *
 *   node bench/reservations.ts [--rounds 5] [--seconds 2]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrateStore, openStore, type StoreSettings } from '../adapters/stores/open-store.ts';
import { TollgateError } from '../contracts/failures.ts';
import type { AttemptId, RunKey } from '../contracts/ids.ts';
import type { Store } from '../domain/store/port.ts';
import { hasPostgres, PostgresServer } from '../test/support/postgres.ts';
import { newAttempt, startRun, usd } from '../test/support/store-contract/fixtures.ts';

interface Job {
  readonly settings: StoreSettings;
  readonly runKey: RunKey;
  readonly inFlight: number;
  readonly seconds: number;
  /** Set: until a reservation is rejected, and then the process says how many it had. */
  readonly untilRejected?: true;
}

/** `quotas`: four that never get full bind the run too, in money and tokens, of the tenant and of the feature. */
const SHAPES = [
  { processes: 1, inFlight: 1, quotas: false },
  { processes: 1, inFlight: 1, quotas: true },
  { processes: 1, inFlight: 8, quotas: false },
  { processes: 1, inFlight: 8, quotas: true },
  { processes: 4, inFlight: 2, quotas: false },
  { processes: 4, inFlight: 2, quotas: true },
] as const;

/** The race for one quota: reservations of one nano-USD until it is used up. */
const RACE = { processes: 4, inFlight: 16, limit: 4_000 } as const;

interface Count {
  readonly made: number;
  /** Tries that another process kept waiting for too long; a run's activity would try again. */
  readonly locked: number;
}

/** In a process of its own: reserves until the time is over, and answers how often. */
async function reserveFor({ settings, runKey, inFlight, seconds, untilRejected }: Job): Promise<Count> {
  const store = await openStore(settings);
  const untilMs = Date.now() + seconds * 1_000;
  const count = { made: 0, locked: 0 };
  let isOver = false;
  const reserveOnce = async () => {
    const { type } = await store.reserveAttempt(newAttempt(runKey, { attemptId: randomUUID() as AttemptId, reservedNanoUsd: usd(1) }));
    if (untilRejected && type === 'rejected') isOver = true;
    else if (type !== 'reserved') throw new Error(`a reservation was ${type}`);
    else count.made += 1;
  };
  const keepReserving = async () => {
    while (!isOver && Date.now() < untilMs)
      await reserveOnce().catch((error: unknown) => {
        if (!(error instanceof TollgateError) || error.type !== 'storeUnavailable') throw error;
        count.locked += 1;
      });
  };
  await Promise.all(Array.from({ length: inFlight }, keepReserving));
  await store.close();
  return count;
}

/** Has processes do their jobs at once. */
async function atOnce(jobs: readonly Job[]): Promise<Count[]> {
  const children: ChildProcess[] = jobs.map(() => fork(import.meta.filename, ['--child']));
  await Promise.all(children.map((child) => once(child, 'message')));
  return await Promise.all(
    children.map(async (child, index) => {
      const answer = once(child, 'message') as Promise<[Count]>;
      const died = once(child, 'exit').then(() => Promise.reject(new Error('a process died')));
      child.send(jobs[index] as Job);
      return (await Promise.race([answer, died]))[0];
    }),
  );
}

/** 64 writers and one quota: how many reservations it gave, how fast, and how many too many. */
async function race(settings: StoreSettings) {
  const store = await openStore(settings);
  const tenant = randomUUID();
  const quota = await store.setQuota({ tenant, feature: null, per: 'month', unit: 'nanoUsd', limit: RACE.limit }, 'command');
  const runKeys = await Promise.all(Array.from({ length: RACE.processes }, () => startRun(store, { tenant, limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) })));
  const startedMs = performance.now();
  const counts = await atOnce(runKeys.map((runKey) => ({ settings, runKey, inFlight: RACE.inFlight, seconds: 120, untilRejected: true })));
  const seconds = (performance.now() - startedMs) / 1_000;
  const made = counts.reduce((sum, count) => sum + count.made, 0);
  const [window] = await store.listQuotaWindows({ quotaId: quota.quotaId, limit: 1 });
  await store.close();
  if (window?.totals.heldNanoUsd !== made) throw new Error(`${made} reservations of 1 nano-USD hold ${window?.totals.heldNanoUsd} of the quota`);
  return {
    writers: RACE.processes * RACE.inFlight,
    limit: RACE.limit,
    made,
    overshoot: Math.max(0, made - RACE.limit),
    reservationsPerSecond: Math.round(made / seconds),
  };
}

async function setLooseQuotas(store: Store, tenant: string): Promise<void> {
  for (const unit of ['nanoUsd', 'tokens'] as const)
    for (const feature of [null, 'chat']) await store.setQuota({ tenant, feature, per: 'day', unit, limit: Number.MAX_SAFE_INTEGER }, 'command');
}

async function measure(settings: StoreSettings, { processes, inFlight, quotas }: (typeof SHAPES)[number], seconds: number): Promise<Count> {
  const store = await openStore(settings);
  const tenant = randomUUID();
  if (quotas) await setLooseQuotas(store, tenant);
  const runKey = await startRun(store, { tenant, limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
  const counts = await atOnce(Array.from({ length: processes }, () => ({ settings, runKey, inFlight, seconds })));
  const made = counts.reduce((sum, count) => sum + count.made, 0);
  const ledger = await store.getLedger(runKey);
  await store.close();
  if (ledger?.heldNanoUsd !== made) throw new Error(`${made} reservations of 1 nano-USD hold ${ledger?.heldNanoUsd}`);
  return { made: made / seconds, locked: counts.reduce((sum, count) => sum + count.locked, 0) };
}

function summary(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b).map(Math.round);
  return { median: sorted[Math.floor(sorted.length / 2)], least: sorted[0], most: sorted.at(-1) };
}

async function main(rounds: number, seconds: number): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const server = hasPostgres() ? await new PostgresServer(['fsync=on']).open() : null;
  try {
    const stores: { readonly store: string; readonly settings: StoreSettings }[] = [{ store: 'sqlite', settings: { home } }];
    if (server) stores.push({ store: 'postgres', settings: { home, databaseUrl: await server.createDatabase() } });
    for (const { settings } of stores) await migrateStore(settings);
    const cases = stores.flatMap(({ store, settings }) => SHAPES.map((shape) => ({ store, settings, shape, counts: [] as Count[] })));
    for (let round = 0; round < rounds; round += 1)
      for (const one of cases.toSorted((a, b) => SHAPES.indexOf(a.shape) - SHAPES.indexOf(b.shape)))
        one.counts.push(await measure(one.settings, one.shape, seconds));
    const results = cases.map(({ store, shape, counts }) => ({
      store,
      ...shape,
      reservationsPerSecond: summary(counts.map(({ made }) => made)),
      locked: counts.reduce((sum, { locked }) => sum + locked, 0),
    }));
    const races = [];
    for (const { store, settings } of stores) races.push({ store, ...(await race(settings)) });
    console.log(JSON.stringify({ rounds, seconds, cpus: availableParallelism(), node: process.versions.node, results, races }, null, 2));
  } finally {
    await server?.close();
    rmSync(home, { recursive: true, force: true });
  }
}

if (process.argv.includes('--child')) {
  process.once('message', async (job: Job) => {
    process.send?.(await reserveFor(job), () => process.disconnect());
  });
  process.send?.('ready');
} else {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } } });
  await main(Number(values.rounds), Number(values.seconds));
}
