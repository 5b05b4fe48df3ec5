import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { Campaign } from '../support/campaign.ts';
import { findLiteLlm } from '../support/litellm.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';

const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1_000_000));
const runs = Number(process.env.TOLLGATE_CAMPAIGN_RUNS ?? 10);
const faults = Number(process.env.TOLLGATE_CAMPAIGN_FAULTS ?? 40);

describe.runIf(hasPostgres())('with a real Postgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());

  test(`both promises hold through ${faults} faults (seed ${seed})`, { timeout: 900_000 + runs * 20_000 }, async () => {
    console.log(`again: npm run campaign -- --runs ${runs} --faults ${faults} --store postgres --seed ${seed}`);
    const litellm = await findLiteLlm();
    const priceMap = 'missing' in litellm ? undefined : litellm.priceMap;
    const databaseUrl = await server.createDatabase();
    await migratePostgres(databaseUrl);
    const { problems, ...report } = await new Campaign({ seed, runs, faults, priceMap, databaseUrl }).run();
    console.log(JSON.stringify(report, null, 2));
    expect(problems, `seed ${seed}`).toEqual([]);
    expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(faults);
  });
});
