import { expect, test } from 'vitest';
import { MADE } from '../../scripts/monitoring.ts';
import { ROWS } from '../../scripts/monitoring/dashboard.ts';
import { ALERT_RULES, RECORDING_RULES } from '../../scripts/monitoring/rules.ts';
import { METRIC_TABLE, type MetricName, prometheusName } from '../../telemetry/metric-table.ts';
import { read } from '../support/compose.ts';

const panels = ROWS.flatMap((row) => row.panels);
const queries = [
  ...panels.flatMap((panel) => panel.queries.map(({ expr }) => expr)),
  ...RECORDING_RULES.map(({ expr }) => expr),
  ...ALERT_RULES.map(({ expr }) => expr),
];
const counted = Object.keys(METRIC_TABLE) as MetricName[];

test('rules and dashboards in the repository are those that the code makes', () => {
  for (const [path, make] of Object.entries(MADE)) expect(read(path), `run "node scripts/monitoring.ts": ${path}`).toBe(make());
});

test('queries ask for nothing but what is counted, recorded, or told by the Temporal SDK', () => {
  const known = new Set([
    ...counted.flatMap((name) => {
      const plain = prometheusName(name);
      return METRIC_TABLE[name]?.kind === 'histogram' ? [`${plain}_bucket`, `${plain}_sum`, `${plain}_count`] : [plain];
    }),
    ...RECORDING_RULES.map(({ record }) => record),
  ]);
  const asked = queries.flatMap((query) =>
    [...query.replace(/\{[^}]*\}|by \([^)]*\)/g, '').matchAll(/\b(?:tollgate|gen_ai)[a-z0-9_:]*/g)].map(([name]) => name),
  );
  expect(asked.length).toBeGreaterThan(40);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

test('every metric that is counted is on the dashboard or in a rule, or named with the reason why not', () => {
  const elsewhere = [prometheusName('tollgate.held.attempts')];
  expect(counted.map(prometheusName).filter((name) => !elsewhere.includes(name) && !queries.some((query) => query.includes(name)))).toEqual([]);
});

test('panels have titles of their own, and every alert has a page of the runbook', () => {
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  const headings = [...read('docs/operating.md').matchAll(/^#+ (Tollgate[A-Za-z]+)$/gm)].map(([, name]) => name);
  expect(headings.toSorted()).toEqual(ALERT_RULES.map(({ alert }) => alert).toSorted());
});
