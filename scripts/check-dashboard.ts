import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dashboardAsJson } from './monitoring/dashboard.ts';

/**
 * Holds the dashboard against the types that Grafana publishes of its own schemas, which are installed beside the project:
 *
 *     node scripts/check-dashboard.ts [folder]          (default: .tollgate/grafana-types)
 */
const TYPES = '@grafana/grafana-foundation-sdk@0.0.21';
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const KINDS = ['timeseries', 'stat', 'bargauge'];

interface Panel {
  readonly type: string;
  readonly targets?: readonly object[];
  readonly fieldConfig?: object;
}

const folder = process.argv[2] ?? join(ROOT, '.tollgate/grafana-types');
mkdirSync(folder, { recursive: true });
if (!existsSync(join(folder, 'node_modules/@grafana/grafana-foundation-sdk'))) {
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', TYPES], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm could not install ${TYPES} in ${folder}`);
}

const dashboard = JSON.parse(dashboardAsJson()) as { readonly panels: readonly Panel[] };
const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);
const unknown = dashboard.panels.filter(({ type }) => ![...KINDS, 'row'].includes(type));
if (unknown.length > 0) throw new Error(`kinds of panels that are not compared: ${unknown.map(({ type }) => type).join(', ')}`);
writeFileSync(
  join(folder, 'dashboard.ts'),
  `import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
${KINDS.map((kind) => `import type { Options as ${kind} } from '@grafana/grafana-foundation-sdk/${kind}';`).join('\n')}
export type Kinds = [${KINDS.join(', ')}];
export const dashboard: Dashboard = ${JSON.stringify({ ...dashboard, panels: dashboard.panels.map(({ targets: _queries, ...panel }) => panel) })};
type Target = Omit<Dataquery, '_implementsDataqueryVariant'>;
export const targets: readonly Target[] = ${JSON.stringify(targets)};
`,
);
const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2023', '--types', ''];
const tsc = join(ROOT, 'node_modules/.bin/tsc');
const { status, stdout } = spawnSync(tsc, [...options, 'dashboard.ts'], { cwd: folder, encoding: 'utf8' });
process.stdout.write(status === 0 ? `The dashboard is what ${TYPES} says, with ${targets.length} queries.\n` : stdout);
process.exitCode = status ?? 1;
