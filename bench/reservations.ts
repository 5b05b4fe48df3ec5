/**
 * Reservations per second on one scope, SQLite beside Postgres, in interleaved rounds on this machine. Both write through
 * to the disk. Prints JSON.
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
import { hasPostgres, PostgresServer } from '../test/support/postgres.ts';
import { newAttempt, startRun, usd } from '../test/support/store-contract/fixtures.ts';

interface Job {
  readonly settings: StoreSettings;
  readonly runKey: RunKey;
  readonly inFlight: number;
  readonly seconds: number;
}

const SHAPES = [
  { processes: 1, inFlight: 1 },
  { processes: 1, inFlight: 8 },
  { processes: 4, inFlight: 2 },
] as const;

interface Count {
  readonly made: number;
  /** Tries that another process kept waiting for too long; a run's activity would try again. */
  readonly locked: number;
}

/** In a process of its own: reserves until the time is over, and answers how often. */
async function reserveFor({ settings, runKey, inFlight, seconds }: Job): Promise<Count> {
  const store = await openStore(settings);
  const untilMs = Date.now() + seconds * 1_000;
  const count = { made: 0, locked: 0 };
  const reserveOnce = async () => {
    const { type } = await store.reserveAttempt(newAttempt(runKey, { attemptId: randomUUID() as AttemptId, reservedNanoUsd: usd(1) }));
    if (type !== 'reserved') throw new Error(`a reservation was ${type}`);
    count.made += 1;
  };
  const keepReserving = async () => {
    while (Date.now() < untilMs)
      await reserveOnce().catch((error: unknown) => {
        if (!(error instanceof TollgateError) || error.type !== 'storeUnavailable') throw error;
        count.locked += 1;
      });
  };
  await Promise.all(Array.from({ length: inFlight }, keepReserving));
  await store.close();
  return count;
}

async function measure(settings: StoreSettings, { processes, inFlight }: (typeof SHAPES)[number], seconds: number): Promise<Count> {
  const store = await openStore(settings);
  const runKey = await startRun(store, { limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
  const children: ChildProcess[] = Array.from({ length: processes }, () => fork(import.meta.filename, ['--child']));
  await Promise.all(children.map((child) => once(child, 'message')));
  const counts = await Promise.all(
    children.map(async (child) => {
      const answer = once(child, 'message') as Promise<[Count]>;
      const died = once(child, 'exit').then(() => Promise.reject(new Error('a process died')));
      child.send({ settings, runKey, inFlight, seconds } satisfies Job);
      return (await Promise.race([answer, died]))[0];
    }),
  );
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
    console.log(JSON.stringify({ rounds, seconds, cpus: availableParallelism(), node: process.versions.node, results }, null, 2));
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
