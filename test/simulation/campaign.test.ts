import { expect, test } from 'vitest';
import { Campaign } from '../support/campaign.ts';
import { knownLiteLlm } from '../support/litellm.ts';

/**
 * The campaign of test/support/campaign.ts on a SQLite store. TOLLGATE_SEED repeats its choices; `npm run campaign` makes it
 * longer, and plays it on Postgres.
 */
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1_000_000));
const runs = Number(process.env.TOLLGATE_CAMPAIGN_RUNS ?? 10);
const faults = Number(process.env.TOLLGATE_CAMPAIGN_FAULTS ?? 40);

test(`both promises hold through ${faults} faults (seed ${seed})`, { timeout: 900_000 + runs * 20_000 }, async () => {
  console.log(`again: npm run campaign -- --runs ${runs} --faults ${faults} --store sqlite --seed ${seed}`);
  const priceMap = knownLiteLlm()?.priceMap;
  const { problems, ...report } = await new Campaign({ seed, runs, faults, priceMap }).run();
  console.log(JSON.stringify(report, null, 2));
  expect(problems, `seed ${seed}`).toEqual([]);
  expect(Object.values(report.faults).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(faults);
});
