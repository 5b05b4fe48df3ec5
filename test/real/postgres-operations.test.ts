import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { backupStore, restoreStore } from '../../adapters/stores/backup/backup.ts';
import { TABLES } from '../../adapters/stores/backup/tables.ts';
import { openStore, type StoreSettings } from '../../adapters/stores/open-store.ts';
import { anchorAudit } from '../../domain/audit/anchor.ts';
import { MIGRATIONS } from '../../adapters/stores/postgres/migrations.ts';
import { openPostgresStore } from '../../adapters/stores/postgres/postgres-store.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { fillStore, lookAt } from '../support/full-store.ts';
import { hasPostgres, PASSWORD, PostgresServer } from '../support/postgres.ts';
import { UNSIGNED } from '../support/store-contract/audit-contract.ts';
import { newAttempt, startRun } from '../support/store-contract/fixtures.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe.runIf(hasPostgres())('operations with a real Postgres', () => {
  let server: PostgresServer;
  let folder: string;
  let url: string;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tollgate-operations-'));
    url = await server.createDatabase();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const versions = async () =>
    (await server.sql(url, 'SELECT version, name FROM tollgate.schema_migrations ORDER BY version')).map(({ version }) => Number(version));
  const all = MIGRATIONS.map((_, index) => index + 1);

  describe('migrations', () => {
    test('an empty database is brought up once, however many try at once', async () => {
      const reports = await Promise.all([1, 2, 3].map(() => migratePostgres(url)));
      expect(reports.map(({ from }) => from).toSorted((a, b) => a - b)).toEqual([0, all.length, all.length]);
      expect(reports.map(({ applied }) => applied.length).toSorted((a, b) => a - b)).toEqual([0, 0, all.length]);
      expect(await versions()).toEqual(all);
    });

    test('a migration that fails leaves the schema as it was', async () => {
      await migratePostgres(url);
      const broken = [
        ...MIGRATIONS,
        { name: 'good', worksFrom: 1, sql: 'CREATE TABLE good (id BIGINT)' },
        { name: 'bad', worksFrom: 1, sql: 'CREATE TABLE good ()' },
      ];
      await expect(migratePostgres(url, broken)).rejects.toThrow('already exists');
      expect(await versions()).toEqual(all);
      expect(await server.sql(url, "SELECT 1 FROM pg_tables WHERE tablename = 'good'")).toEqual([]);
    });

    test('a store that was not migrated, or not far enough, is refused with what to do', async () => {
      const refused = { type: 'storeUnavailable', message: expect.stringContaining('Run "tollgate migrate"') };
      await expect(openPostgresStore({ url })).rejects.toMatchObject(refused);
      await migratePostgres(url, MIGRATIONS.slice(0, 1));
      await expect(openPostgresStore({ url })).rejects.toMatchObject(refused);
      expect(await migratePostgres(url)).toMatchObject({ from: 1, to: all.length });
      await (await openPostgresStore({ url })).close();
    });

    test('a store with more in it than this version knows is used, also by whoever had it open before; migrate leaves it alone', async () => {
      await migratePostgres(url);
      const before = await openPostgresStore({ url });
      const filled = await fillStore(before);
      const seen = await lookAt(before, filled);
      const wide = ['runs', 'scopes', 'attempts', 'tool_calls', 'gates', 'audit', 'api_keys', 'nodes', 'contents', 'run_scopes', 'attempt_scopes'];
      const sql = `${wide.map((table) => `ALTER TABLE ${table} ADD COLUMN later TEXT NOT NULL DEFAULT 'x'`).join('; ')}; CREATE TABLE later (id BIGINT)`;
      const newer = [...MIGRATIONS, { name: 'expanded', worksFrom: all.length, sql }];
      await migratePostgres(url, newer);
      const after = await openPostgresStore({ url });
      for (const store of [before, after]) expect(await lookAt(store, filled)).toEqual(seen);
      for (const store of [before, after]) {
        await fillStore(store);
        await store.close();
      }
      expect(await migratePostgres(url)).toEqual({ from: all.length + 1, to: all.length + 1, applied: [] });
    });

    test('workers need no right to change the schema, nor to take rows out of the journal', async () => {
      await migratePostgres(url);
      const name = `worker_${Date.now()}`;
      await server.sql(
        url,
        `CREATE ROLE ${name} LOGIN PASSWORD '${PASSWORD}'; GRANT USAGE ON SCHEMA tollgate TO ${name};
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA tollgate TO ${name};
         GRANT DELETE ON tollgate.quotas, tollgate.scopes, tollgate.notifications, tollgate.ended_sessions, tollgate.trace_sinks, tollgate.trace_outbox TO ${name};
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA tollgate TO ${name}`,
      );
      const address = url.replace('tollgate:', `${name}:`);
      const store = await openPostgresStore({ url: address });
      await lookAt(store, await fillStore(store));
      await store.ensureRoom(1_000);
      await server.sql(url, `INSERT INTO tollgate.audit (at_ms, type, actor, data_json) VALUES (1, 'of an older worker', 'old', '{}')`);
      expect(await anchorAudit(store, UNSIGNED, 5)).toMatchObject({ anchors: 1 });
      await store.close();
      await expect(server.sql(address, 'DELETE FROM tollgate.runs')).rejects.toThrow('permission denied');
      await expect(migratePostgres(address, [...MIGRATIONS, { name: 'x', worksFrom: 1, sql: 'CREATE TABLE x ()' }])).rejects.toMatchObject({
        type: 'storeUnavailable',
        message: expect.stringContaining('permission denied'),
      });
    });

    test('a store that took something away that this version needs is refused', async () => {
      await migratePostgres(url);
      const contracted = [...MIGRATIONS, { name: 'contracted', worksFrom: all.length + 1, sql: 'ALTER TABLE runs DROP COLUMN requester' }];
      await migratePostgres(url, contracted);
      const refused = { type: 'storeUnavailable', message: expect.stringContaining('Use a newer Tollgate') };
      await expect(openPostgresStore({ url })).rejects.toMatchObject(refused);
      await expect(migratePostgres(url)).rejects.toMatchObject(refused);
    });
  });

  describe('backups', () => {
    const file = () => join(folder, 'backup.jsonl');
    const sqlite = (name: string): StoreSettings => ({ home: join(folder, name) });
    const postgres = (databaseUrl: string): StoreSettings => ({ home: folder, databaseUrl });
    async function look(settings: StoreSettings, filled: Awaited<ReturnType<typeof fillStore>>) {
      const store = await openStore(settings);
      const seen = await lookAt(store, filled);
      await store.close();
      return seen;
    }

    test('a store moves from Postgres to SQLite and back, with everything in it, and goes on there', async () => {
      await migratePostgres(url);
      const first = await openStore(postgres(url));
      const filled = await fillStore(first);
      await first.close();
      const before = await look(postgres(url), filled);
      await backupStore(postgres(url), file(), { overwrite: false });
      expect(await restoreStore(sqlite('a'), file(), { replace: false })).toMatchObject({ runs: 2, header: { store: expect.stringMatching(/^postgres:/) } });
      expect(await look(sqlite('a'), filled)).toEqual(before);

      const other = await server.createDatabase();
      await migratePostgres(other);
      await backupStore(sqlite('a'), file(), { overwrite: true });
      await restoreStore(postgres(other), file(), { replace: false });
      expect(await look(postgres(other), filled)).toEqual(before);
      const store = await openStore(postgres(other));
      expect(await store.lastRestoredAtMs()).toBeGreaterThan(Date.now() - 60_000);
      expect((await store.reserveAttempt(newAttempt(filled.child, { step: 3 }))).type).toBe('reserved');
      await startRun(store);
      await store.appendAudit({ type: 'after', runKey: null, actor: 'x', data: null });
      expect((await store.listAudit({ limit: 100 })).at(-1)?.type).toBe('after');
      await store.close();
      await expect(server.sql(other, 'DELETE FROM tollgate.audit')).rejects.toThrow('append-only');
    });

    test('a Postgres store that holds something is replaced only by force, and a damaged backup changes nothing', async () => {
      await migratePostgres(url);
      const store = await openStore(postgres(url));
      const filled = await fillStore(store);
      await backupStore(postgres(url), file(), { overwrite: false });
      const kept = await startRun(store);
      await expect(restoreStore(postgres(url), file(), { replace: false })).rejects.toMatchObject({ message: expect.stringContaining('not empty') });
      expect(await store.getRun(kept)).not.toBeNull();
      await restoreStore(postgres(url), file(), { replace: true });
      expect(await store.getRun(kept)).toBeNull();
      expect(await store.getRun(filled.child)).not.toBeNull();
      await store.close();
      await expect(server.sql(url, 'TRUNCATE tollgate.audit')).rejects.toThrow('append-only');
    });

    test('a backup taken while others write holds one state: the totals are those of its attempts', async () => {
      await migratePostgres(url);
      const store = await openStore(postgres(url));
      const runKey = await startRun(store);
      let isOver = false;
      const writing = (async () => {
        while (!isOver) await store.reserveAttempt(newAttempt(runKey, { reservedNanoUsd: 1 as never }));
      })();
      for (let round = 0; round < 3; round += 1) {
        await backupStore(postgres(url), file(), { overwrite: true });
        await restoreStore(sqlite('copy'), file(), { replace: true });
        const copy = await openStore(sqlite('copy'));
        const attempts = await copy.listAttempts(runKey);
        expect(await copy.getLedger(runKey)).toMatchObject({ heldNanoUsd: attempts.length });
        await copy.close();
      }
      isOver = true;
      await writing;
      await store.close();
    });

    test('a backup holds every table of the Postgres store', async () => {
      await migratePostgres(url);
      const tables = await server.sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'tollgate' AND tablename <> 'schema_migrations'");
      expect(tables.map(({ tablename }) => tablename).toSorted()).toEqual(TABLES.toSorted());
    });
  });

  describe('the command line', () => {
    async function run(script: string, args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
      const env = {
        PATH: process.env.PATH ?? '',
        TOLLGATE_HOME: folder,
        DATABASE_URL: url,
        TEMPORAL_ADDRESS: '127.0.0.1:1',
        TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:1/v1',
      };
      const child = spawn(process.execPath, [join(ROOT, script), ...args], { cwd: ROOT, env });
      const output = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const)
        child[name].on('data', (chunk: Buffer) => {
          output[name] += chunk.toString();
        });
      return { code: await new Promise((resolve) => child.on('close', resolve)), ...output };
    }
    const tollgate = (...args: string[]) => run('client/cli/bin.mjs', args);

    test('migrate, doctor, backup and restore say what they did; a worker asks for the migration with exit code 2', async () => {
      const worker = await run('worker/main.ts', []);
      expect(worker).toMatchObject({ code: 2, stderr: expect.stringContaining('tollgate migrate') });
      const before = await tollgate('runs', 'list');
      expect(before).toMatchObject({ code: 2, stderr: expect.stringContaining('tollgate migrate') });

      expect(await tollgate('migrate')).toMatchObject({ code: 0, stdout: expect.stringMatching(/postgres:\/\/127\.0\.0\.1:\d+\/\w+: schema version 0 → \d/) });
      expect(JSON.parse((await tollgate('migrate', '--json')).stdout)).toMatchObject({ from: all.length, to: all.length, applied: [] });
      const doctor = await tollgate('doctor');
      expect(doctor.stdout).toMatch(/ok +store +postgres:\/\/\S+ answers \(PostgreSQL \d+.*\), schema version \d/);
      expect(await tollgate('runs', 'list', '--json')).toMatchObject({ code: 0, stdout: '[]\n' });

      const store = await openStore({ home: folder, databaseUrl: url });
      await fillStore(store);
      await store.close();
      const file = join(folder, 'b.jsonl');
      expect(await tollgate('backup', file)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 runs') });
      expect(await tollgate('restore', file)).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') });
      const restored = await tollgate('restore', file, '--force');
      expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('journalMissing') });
      for (const { stdout, stderr } of [worker, before, doctor, restored]) expect(stdout + stderr).not.toContain(PASSWORD);
    });
  });
});
