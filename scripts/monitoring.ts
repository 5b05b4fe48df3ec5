import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { dashboardAsJson } from './monitoring/dashboard.ts';
import { rulesAsYaml } from './monitoring/rules.ts';

/** What is made from the names that the code uses, by its path in the repository. */
export const MADE: Readonly<Record<string, () => string>> = {
  'deploy/prometheus/rules.yaml': rulesAsYaml,
  'deploy/grafana/dashboards/tollgate.json': dashboardAsJson,
};

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, make] of Object.entries(MADE)) writeFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), make());
