import { expect, test } from 'vitest';
import { IrreversibleCampaign } from '../support/irreversible/campaign.ts';

/** The campaign of test/support/irreversible on a SQLite store. `npm run campaign -- --irreversible` makes it longer, and plays it on Postgres. */
const seed = Number(process.env.TOLLGATE_SEED ?? Math.floor(Math.random() * 1_000_000));
const runs = Number(process.env.TOLLGATE_CAMPAIGN_RUNS ?? 20);

test(`${runs} irreversible actions run at most once and only by their approvals (seed ${seed})`, { timeout: 600_000 + runs * 20_000 }, async () => {
  console.log(`again: npm run campaign -- --irreversible --runs ${runs} --store sqlite --seed ${seed}`);
  const { problems, ...report } = await new IrreversibleCampaign({ seed, runs }).run();
  console.log(JSON.stringify(report, null, 2));
  expect(problems, `seed ${seed}`).toEqual([]);
  expect(report.actions.executed).toBeGreaterThan(0);
});
