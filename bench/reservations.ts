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

/** In a process of its own: reserves until the time is over, and answers how often. */
async function reserveFor({ settings, runKey, inFlight, seconds }: Job): Promise<number> {
  const store = await openStore(settings);
  const untilMs = Date.now() + seconds * 1_000;
  let made = 0;
  const keepReserving = async () => {
    while (Date.now() < untilMs) {
      const { type } = await store.reserveAttempt(newAttempt(runKey, { attemptId: randomUUID() as AttemptId, reservedNanoUsd: usd(1) }));
      if (type !== 'reserved') throw new Error(`a reservation was ${type}`);
      made += 1;
      // SQLite answers without waiting; let the other loops have their turn.
      await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, keepReserving));
  await store.close();
  return made;
}

async function measure(settings: StoreSettings, { processes, inFlight }: (typeof SHAPES)[number], seconds: number): Promise<number> {
  const store = await openStore(settings);
  const runKey = await startRun(store, { limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
  const children: ChildProcess[] = Array.from({ length: processes }, () => fork(import.meta.filename, ['--child']));
  await Promise.all(children.map((child) => once(child, 'message')));
  const counts = children.map(async (child) => {
    child.send({ settings, runKey, inFlight, seconds } satisfies Job);
    const [made] = (await once(child, 'message')) as [number];
    return made;
  });
  const total = (await Promise.all(counts)).reduce((sum, made) => sum + made, 0);
  const ledger = await store.getLedger(runKey);
  await store.close();
  if (ledger?.heldNanoUsd !== total) throw new Error(`${total} reservations of 1 nano-USD hold ${ledger?.heldNanoUsd}`);
  return total / seconds;
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
    const cases = stores.flatMap(({ store, settings }) => SHAPES.map((shape) => ({ store, settings, shape, perSecond: [] as number[] })));
    for (let round = 0; round < rounds; round += 1)
      for (const one of cases.toSorted((a, b) => SHAPES.indexOf(a.shape) - SHAPES.indexOf(b.shape)))
        one.perSecond.push(await measure(one.settings, one.shape, seconds));
    const results = cases.map(({ store, shape, perSecond }) => ({ store, ...shape, reservationsPerSecond: summary(perSecond) }));
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
