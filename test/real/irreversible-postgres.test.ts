import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { IrreversibleCampaign } from '../support/irreversible/campaign.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1_000_000));
const runs = Number(process.env.TOLLGATE_CAMPAIGN_RUNS ?? 20);

describe.runIf(hasPostgres())('with a real Postgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());

  test(`${runs} irreversible actions run at most once and only by their approvals (seed ${seed})`, { timeout: 600_000 + runs * 20_000 }, async () => {
    console.log(`again: npm run campaign -- --irreversible --runs ${runs} --store postgres --seed ${seed}`);
    const databaseUrl = await server.createDatabase();
    await migratePostgres(databaseUrl);
    const { problems, ...report } = await new IrreversibleCampaign({ seed, runs, databaseUrl }).run();
    console.log(JSON.stringify(report, null, 2));
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(report.actions.executed).toBeGreaterThan(0);
  });
});
