import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openPostgresStore } from '../../adapters/stores/postgres/postgres-store.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import type { RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { hasPostgres, PASSWORD, PostgresServer } from '../support/postgres.ts';
import { approvedGate, newAttempt, newToolCall, permitted, reserve, startRun, usd } from '../support/store-contract/fixtures.ts';
import { waitFor } from '../support/wait-for.ts';

/** Below the heartbeat timeout of 4 s. */
const BOUND_MS = 4_000;

describe.runIf(hasPostgres())('trouble with a real Postgres', () => {
  let server: PostgresServer;
  let url: string;
  let store: Store;
  beforeAll(async () => {
    server = await new PostgresServer(['max_connections=30']).open();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    url = await server.createDatabase();
    await migratePostgres(url);
    store = await openPostgresStore({ url });
  });
  afterEach(() => store.close());

  /** Has the server raise `sqlState` at every new row of `table`, or at the first `times`. */
  async function raise(table: string, sqlState: string, times = 1_000_000): Promise<() => Promise<unknown>> {
    const name = `raise_${randomUUID().replaceAll('-', '')}`;
    await server.sql(
      url,
      `SET search_path TO tollgate; CREATE SEQUENCE ${name}_count;
       CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF nextval('tollgate.${name}_count') <= ${times} THEN RAISE EXCEPTION 'no room' USING ERRCODE = '${sqlState}'; END IF; RETURN NEW; END $$;
       CREATE TRIGGER ${name} BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${name}()`,
    );
    return () => server.sql(url, `DROP TRIGGER ${name} ON tollgate.${table}`);
  }

  async function holding<T>(lock: string, body: () => Promise<T>): Promise<T> {
    const other = new pg.Client({ connectionString: url });
    other.on('error', () => undefined);
    await other.connect();
    try {
      await other.query(`BEGIN; ${lock}`);
      return await body();
    } finally {
      await other.end().catch(() => undefined);
    }
  }

  const failure = async (doing: Promise<unknown>): Promise<{ error: { type: string; message: string; cause: unknown }; ms: number }> => {
    const startedMs = Date.now();
    const error = (await doing.then(
      () => null,
      (reason: unknown) => reason,
    )) as never;
    return { error, ms: Date.now() - startedMs };
  };

  test('a full disk refuses a reservation by name and keeps none of it; with more room the same one is made', async () => {
    const runKey = await startRun(store);
    const attempt = newAttempt(runKey);
    const cure = await raise('attempt_scopes', '53100');
    await expect(store.reserveAttempt(attempt)).rejects.toMatchObject({ type: 'storeFull' });
    expect(await store.getAttempt(runKey, attempt.attemptId)).toBeNull();
    expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: 0 });
    await cure();
    expect(await store.reserveAttempt(attempt)).toMatchObject({ type: 'reserved', ledger: { heldNanoUsd: 100 } });
  });

  test('an approval whose intent finds no room is not consumed', async () => {
    const runKey = await startRun(store);
    const { approvalId } = await store.createGate(approvedGate(runKey));
    const call = { ...newToolCall(runKey, { tool: 'refund', effect: 'irreversible' }), approvalId };
    const cure = await raise('tool_calls', '53100');
    await expect(store.consumeApproval(call, permitted)).rejects.toMatchObject({ type: 'storeFull' });
    expect(await store.getGate(runKey, approvalId)).toMatchObject({ status: 'approved', consumedAtMs: null });
    await cure();
    expect((await store.consumeApproval(call, permitted)).type).toBe('permitted');
  });

  test('asking for room takes none of it', async () => {
    const size = async () => (await server.sql(url, 'SELECT pg_database_size(current_database()) AS bytes'))[0]?.bytes;
    await store.ensureRoom(1_000);
    const before = Number(await size());
    for (let asked = 0; asked < 10; asked += 1) await store.ensureRoom(1_000_000);
    expect(Number(await size()) - before).toBeLessThan(1_000_000);
  });

  test.each(['40001', '40P01'])('a transaction that another one was in the way of (%s) is tried again, within a bound', async (state) => {
    const runKey = await startRun(store);
    const cure = await raise('attempts', state, 3);
    expect((await store.reserveAttempt(newAttempt(runKey))).type).toBe('reserved');
    expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: 100 });
    await cure();
    await raise('attempts', state);
    const { error } = await failure(store.reserveAttempt(newAttempt(runKey)));
    expect(error).toMatchObject({ type: 'storeUnavailable' });
    expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: 100 });
  });

  test('runs that share parents and a tenant, reserved and settled all at once, never lock each other out', async () => {
    await server.sql(
      url,
      "INSERT INTO tollgate.scopes (kind, scope_key, limit_nano_usd) VALUES ('feature', 'acme/chat', 1000000), ('tenant', 'acme', 1000000)",
    );
    const [first, second] = [await startRun(store, { limitNanoUsd: usd(1_000_000) }), await startRun(store, { limitNanoUsd: usd(1_000_000) })];
    const children = await Promise.all(
      [
        [first, second],
        [second, first],
        [first, second],
        [second, first],
      ].map((parentRunKeys) => startRun(store, { parentRunKeys, limitNanoUsd: usd(1_000_000) })),
    );
    const other = await openPostgresStore({ url });
    const busy = async (one: Store, runKey: RunKey) => {
      for (let round = 0; round < 15; round += 1) {
        const attemptId = await reserve(one, runKey);
        await one.moveMoney(runKey, attemptId, { type: 'settle', costNanoUsd: usd(40) });
      }
    };
    await Promise.all([...children, first, second].flatMap((runKey) => [busy(store, runKey), busy(other, runKey)]));
    await other.close();
    expect(await store.getLedger(first)).toMatchObject({ settledNanoUsd: 5 * 2 * 15 * 40, heldNanoUsd: 0 });
    const [row] = await server.sql(url, 'SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()');
    expect(Number(row?.deadlocks)).toBe(0);
  });

  test('amounts beyond what JavaScript adds up exactly are refused, read or written', async () => {
    const runKey = await startRun(store, { limitNanoUsd: usd(Number.MAX_SAFE_INTEGER) });
    const budget = await store.createGate(approvedGate(runKey, { kind: 'budget' }));
    await expect(store.raiseLimit(runKey, budget.approvalId, { nanoUsd: usd(1), tokens: 0 }, permitted)).rejects.toMatchObject({ type: 'invariantBroken' });
    expect((await store.getGate(runKey, budget.approvalId))?.status).toBe('approved');
    await expect(server.sql(url, 'UPDATE tollgate.scopes SET limit_nano_usd = 9007199254740992')).rejects.toThrow('check constraint');
    const attemptId = await reserve(store, runKey);
    await server.sql(url, 'UPDATE tollgate.attempts SET reserved_nano_usd = 9007199254740993');
    await expect(store.getAttempt(runKey, attemptId)).rejects.toMatchObject({ type: 'invariantBroken' });
  });

  test('a database that others have set to forget commits or to other isolation does neither to the store', async () => {
    const name = new URL(url).pathname.slice(1);
    await server.sql(url, `ALTER DATABASE ${name} SET synchronous_commit TO off; ALTER DATABASE ${name} SET default_transaction_isolation TO serializable`);
    const other = await openPostgresStore({ url });
    const runKey = await startRun(other, { limitNanoUsd: usd(2_000) });
    await server.sql(
      url,
      `CREATE TABLE public.seen (setting TEXT);
       CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         INSERT INTO public.seen VALUES (current_setting('synchronous_commit')), (current_setting('transaction_isolation')); RETURN NEW; END $$;
       CREATE TRIGGER look BEFORE INSERT ON tollgate.attempts FOR EACH ROW EXECUTE FUNCTION public.look()`,
    );
    await Promise.all(Array.from({ length: 20 }, () => other.reserveAttempt(newAttempt(runKey))));
    const settings = await server.sql(url, 'SELECT DISTINCT setting FROM public.seen ORDER BY 1');
    expect(settings.map(({ setting }) => setting)).toEqual(['on', 'read committed']);
    expect(await other.getLedger(runKey)).toMatchObject({ heldNanoUsd: 2_000 });
    await other.close();
  });

  test('nobody rewrites the audit', async () => {
    await store.appendAudit({ type: 'a', runKey: null, actor: 'x', data: null });
    for (const sql of ["UPDATE tollgate.audit SET actor = 'y'", 'DELETE FROM tollgate.audit', 'TRUNCATE tollgate.audit'])
      await expect(server.sql(url, sql), sql).rejects.toThrow('append-only');
  });

  test('entries appear in the audit in the order of their numbers, so that a reader who goes on from the last misses none', async () => {
    await server.sql(
      url,
      `CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.actor = 'slow' THEN PERFORM pg_sleep(1); END IF; RETURN NEW; END $$;
       CREATE TRIGGER dawdle AFTER INSERT ON tollgate.audit FOR EACH ROW EXECUTE FUNCTION public.dawdle()`,
    );
    const append = (actor: string) => store.appendAudit({ type: 'a', runKey: null, actor, data: null });
    const slow = append('slow');
    await sleep(300);
    await append('quick');
    expect((await store.listAudit({ limit: 10 })).map(({ actor }) => actor)).toEqual(['slow', 'quick']);
    await slow;
  });

  test('time is the server’s, whatever this machine thinks', async () => {
    const [row] = await server.sql(url, 'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now');
    vi.setSystemTime(0);
    try {
      expect(Math.abs((await store.nowMs()) - Number(row?.now))).toBeLessThan(60_000);
      const runKey = await startRun(store);
      expect(Math.abs(((await store.getRun(runKey))?.startedAtMs ?? 0) - Number(row?.now))).toBeLessThan(60_000);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a scope that another holds is waited for, and given up before a heartbeat is missed', async () => {
    const runKey = await startRun(store);
    const { error, ms } = await holding('UPDATE tollgate.scopes SET held_nano_usd = 0', () => failure(store.reserveAttempt(newAttempt(runKey))));
    expect(error).toMatchObject({ type: 'storeUnavailable' });
    expect(ms).toBeLessThan(BOUND_MS);
    expect((await store.reserveAttempt(newAttempt(runKey))).type).toBe('reserved');
  });

  test('a process that freezes in the middle of a transaction lets its locks go', async () => {
    const runKey = await startRun(store);
    const frozen = store.createGate(approvedGate(runKey)).then(({ approvalId }) =>
      store.decideGate(
        runKey,
        approvalId,
        (gate) => {
          // Blocks this process as SIGSTOP does.
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000);
          return { gate: { ...gate, status: 'denied' }, answer: { type: 'accepted', gateStatus: 'denied', message: '' } };
        },
        () => ({ type: 'x', runKey, actor: 'x', data: null }),
      ),
    );
    await expect(frozen).rejects.toMatchObject({ type: 'storeUnavailable' });
    expect((await store.listGates({ runKey, limit: 1 }))[0]?.status).toBe('approved');
  });

  test('more transactions than connections wait for one, and are told where they wait too long', async () => {
    const small = await openPostgresStore({ url, maxConnections: 1 });
    const runKey = await startRun(small);
    await Promise.all(Array.from({ length: 20 }, () => small.getRun(runKey)));
    await holding('LOCK TABLE tollgate.runs', async () => {
      const [blocked, waiting] = await Promise.all([failure(small.getRun(runKey)), failure(small.nowMs())]);
      expect([blocked.error.type, waiting.error.type]).toEqual(['storeUnavailable', 'storeUnavailable']);
      expect(Math.max(blocked.ms, waiting.ms)).toBeLessThan(BOUND_MS);
    });
    expect(await small.getRun(runKey)).not.toBeNull();
    await small.close();
  });

  test.each(['SIGINT', 'SIGQUIT'] as const)('a server that was stopped (%s) and started again is used again', async (signal) => {
    const runKey = await startRun(store);
    await Promise.all(Array.from({ length: 5 }, () => reserve(store, runKey)));
    await server.stop(signal);
    const { error, ms } = await failure(store.reserveAttempt(newAttempt(runKey)));
    expect(error).toMatchObject({ type: 'storeUnavailable', message: expect.stringContaining('DATABASE_URL') });
    expect(ms).toBeLessThan(BOUND_MS);
    await server.start();
    await waitFor('the store', () => reserve(store, runKey).catch(() => null));
    expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: 600 });
  });

  test('a server that freezes is given up in time', async () => {
    const runKey = await startRun(store);
    const { pid } = server;
    const backends = await server.sql(url, "SELECT pid FROM pg_stat_activity WHERE application_name = 'tollgate' AND datname = current_database()");
    const all = [pid, ...backends.map((row) => Number(row.pid))];
    for (const one of all) process.kill(one, 'SIGSTOP');
    try {
      const { error, ms } = await failure(store.getRun(runKey));
      expect(error).toMatchObject({ type: 'storeUnavailable' });
      expect(ms).toBeLessThan(BOUND_MS);
    } finally {
      for (const one of all) process.kill(one, 'SIGCONT');
    }
    expect(await waitFor('the store', () => store.getRun(runKey).catch(() => null))).not.toBeNull();
  });

  test('what is wrong with the address is said without the password', async () => {
    const wrong = [
      url.replace(PASSWORD, `${PASSWORD}x`),
      url.replace(/\/[^/]*$/, '/no_such_database'),
      url.replace('127.0.0.1', 'no-such-host.invalid'),
      url.replace(/:\d+\//, ':1/'),
      url.replace(/:\d+\//, ':99999/'),
      `${url}?sslmode=require`,
    ];
    for (const one of wrong) {
      const { error } = await failure(openPostgresStore({ url: one }));
      expect(['storeUnavailable', 'invalidInput'], one).toContain(error.type);
      const everything = `${error.message} ${JSON.stringify(error)} ${(error as unknown as Error).stack} ${String(error.cause)} ${JSON.stringify(error.cause)}`;
      expect(everything).not.toContain(PASSWORD);
    }
  });

  test('connections that nobody uses are dropped without ending the process', async () => {
    await Promise.all(Array.from({ length: 5 }, () => store.nowMs()));
    await server.sql(url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tollgate' AND datname = current_database()");
    await sleep(100);
    expect(await store.nowMs()).toBeGreaterThan(0);
  });
});
