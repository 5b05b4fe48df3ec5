import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** `npm run campaign -- --runs 200 --faults 300 --store sqlite|postgres --seed N`: the fault campaign, as long as is wanted. With `--irreversible` the one of actions that happen at most once. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const USAGE = 'npm run campaign -- [--runs N] [--faults N] [--store sqlite|postgres] [--seed N] [--irreversible]';
const option = (value: string) => ({ type: 'string', default: value }) as const;
const { values } = parseArgs({
  options: {
    runs: option('200'),
    faults: option('300'),
    store: option('sqlite'),
    seed: option(String(Math.floor(Math.random() * 1_000_000))),
    irreversible: { type: 'boolean', default: false },
  },
});
if (![values.runs, values.faults, values.seed].every((text) => /^\d{1,9}$/.test(text)) || !['sqlite', 'postgres'].includes(values.store)) {
  console.error(USAGE);
  process.exit(2);
}
const name = values.irreversible ? 'irreversible' : 'campaign';
const arguments_ =
  values.store === 'sqlite' ? [`test/simulation/${name}.test.ts`] : ['--config', 'vitest.real.config.ts', `test/real/${name}-postgres.test.ts`];
const { status } = spawnSync(process.execPath, [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...arguments_], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, TOLLGATE_CAMPAIGN_RUNS: values.runs, TOLLGATE_CAMPAIGN_FAULTS: values.faults, TOLLGATE_SEED: values.seed },
});
process.exit(status ?? 1);
