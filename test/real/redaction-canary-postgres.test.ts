import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { playCanaryRun } from '../support/canary/run.ts';
import { CanaryStage } from '../support/canary/stage.ts';
import { leaksIn } from '../support/canary/values.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

describe.runIf(hasPostgres())('a run full of canaries on a real Postgres', () => {
  let server: PostgresServer;
  let url: string;
  const stage = new CanaryStage();
  beforeAll(async () => {
    server = await new PostgresServer().open();
    url = await server.createDatabase();
    await migratePostgres(url);
    await stage.openCanary({ databaseUrl: url });
    await playCanaryRun(stage, 'canary-run');
  }, 300_000);
  afterAll(async () => {
    await stage.close();
    await server?.close();
  });

  test('leaves nothing raw in any row of any table; the vault holds sealed values', async () => {
    const tables = await server.sql(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'tollgate'");
    expect(tables.length).toBeGreaterThan(12);
    for (const { tablename } of tables) {
      const rows = await server.sql(url, `SELECT * FROM tollgate.${String(tablename)}`);
      const text = rows.map((row) => Object.values(row).map((cell) => (Buffer.isBuffer(cell) ? cell.toString('utf8') : String(cell)))).join('\n');
      expect(leaksIn(Buffer.from(text)), String(tablename)).toEqual([]);
    }
    const vault = await server.sql(url, 'SELECT sealed FROM tollgate.vault');
    expect(vault.length).toBeGreaterThan(10);
    for (const { sealed } of vault) expect(sealed).toMatch(/^sealed:1:/);
  });

  test('leaves nothing raw in Temporal, in logs, at the provider, or at the doors', () => {
    expect(stage.fileLeaks()).toEqual({});
    expect(leaksIn(stage.requests)).toEqual([]);
    expect(leaksIn(Buffer.from(stage.said.join('\n')))).toEqual([]);
  });
});
