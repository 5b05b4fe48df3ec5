import { gauge, LABEL, METRIC, metric, quantile, rate } from './queries.ts';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: 'page' | 'ticket';
  /** What is wrong, for a person. */
  readonly summary: string;
}

const QUOTA = [LABEL.quota, LABEL.tenant, LABEL.feature, LABEL.per, LABEL.unit];
const failed = `${LABEL.runStatus}="failed"`;
const ok = `${LABEL.outcome}="ok"`;
/** A bucket of the histogram: most replies are to be there within this time. */
const OBJECTIVE_SECONDS = '20.48';

export const RECORDING_RULES: readonly RecordingRule[] = [
  { record: 'tollgate:cost_usd:rate5m', expr: rate(METRIC.settledUsd, '5m', [LABEL.tenant, LABEL.feature, LABEL.task]) },
  { record: 'tollgate:tokens:rate5m', expr: rate(METRIC.tokens, '5m', [LABEL.tokenKind]) },
  {
    record: 'tollgate:cached_input:ratio5m',
    expr: `${rate(METRIC.tokens, '5m', [], `${LABEL.tokenKind}="cachedInput"`)} / ${rate(METRIC.tokens, '5m', [], `${LABEL.tokenKind}="input"`)}`,
  },
  { record: 'tollgate:fallback:ratio5m', expr: `(${rate(METRIC.fallbacks, '5m')} or vector(0)) / ${rate(METRIC.attempts, '5m', [], ok)}` },
  {
    record: 'tollgate:attempt_failure:ratio5m',
    expr: `(${rate(METRIC.attempts, '5m', [LABEL.model], `${LABEL.outcome}!="ok"`)} or 0 * ${rate(METRIC.attempts, '5m', [LABEL.model])}) / ${rate(METRIC.attempts, '5m', [LABEL.model])}`,
  },
  {
    record: 'tollgate:run_failure:ratio1h',
    expr: `(${rate(METRIC.runsEnded, '1h', [LABEL.task], failed)} or 0 * ${rate(METRIC.runsEnded, '1h', [LABEL.task])}) / ${rate(METRIC.runsEnded, '1h', [LABEL.task])}`,
  },
  { record: 'tollgate:operation_seconds:p95_5m', expr: quantile(0.95, METRIC.operationDuration, '5m', [LABEL.task, LABEL.model]) },
  {
    record: 'tollgate:operation_slow:ratio30m',
    expr: `1 - ${rate(METRIC.operationDuration, '30m', [LABEL.task], `le="${OBJECTIVE_SECONDS}"`, '_bucket')} / ${rate(METRIC.operationDuration, '30m', [LABEL.task], '', '_count')}`,
  },
  { record: 'tollgate:held_usd:max', expr: gauge(METRIC.heldUsd) },
  { record: 'tollgate:held_oldest_seconds:max', expr: gauge(METRIC.oldestHeldAge) },
  { record: 'tollgate:quota_used:max', expr: gauge(METRIC.quotaUsed, QUOTA) },
  { record: 'tollgate:quota_limit:max', expr: gauge(METRIC.quotaLimit, QUOTA) },
  { record: 'tollgate:quota_used:ratio', expr: `${gauge(METRIC.quotaUsed, QUOTA)} / (${gauge(METRIC.quotaLimit, QUOTA)} > 0)` },
];

export const ALERT_RULES: readonly AlertRule[] = [
  {
    alert: 'TollgateQuotaBurningFast',
    expr: 'predict_linear(tollgate:quota_used:max[30m], 7200) > tollgate:quota_limit:max and tollgate:quota_used:ratio > 0.5',
    for: '10m',
    severity: 'ticket',
    summary: 'At the pace of the last half hour a quota is used up within two hours.',
  },
  {
    alert: 'TollgateQuotaNearlyUsed',
    expr: 'tollgate:quota_used:ratio > 0.9',
    for: '5m',
    severity: 'page',
    summary: 'More than nine tenths of a quota are used or held; calls beyond it are not sent.',
  },
  {
    alert: 'TollgateHeldMoneyGrowing',
    expr: 'delta(tollgate:held_usd:max[1h]) > 0 and tollgate:held_oldest_seconds:max > 3600',
    for: '15m',
    severity: 'ticket',
    summary: 'More money is of unknown fate than an hour ago, and some of it for longer than that.',
  },
  {
    alert: 'TollgateGateAboutToExpire',
    expr: `${gauge(METRIC.nextGateExpiry, [LABEL.gateKind], 'min')} < 900`,
    for: '1m',
    severity: 'page',
    summary: 'A gate expires within a quarter of an hour, which denies what it asks for.',
  },
  {
    alert: 'TollgateFallbackSurge',
    expr: 'tollgate:fallback:ratio5m > 0.2',
    for: '10m',
    severity: 'ticket',
    summary: 'More than a fifth of the replies come from another candidate than the first.',
  },
  {
    alert: 'TollgateLatencyObjective',
    expr: 'tollgate:operation_slow:ratio30m > 0.05',
    for: '10m',
    severity: 'ticket',
    summary: `More than one in twenty model calls of a task takes longer than ${OBJECTIVE_SECONDS} seconds.`,
  },
  {
    alert: 'TollgateBreakerOpen',
    expr: `${gauge(METRIC.breakerState, [LABEL.model, LABEL.endpoint])} == 2`,
    for: '5m',
    severity: 'ticket',
    summary: 'A model is left alone because it keeps failing.',
  },
  {
    alert: 'TollgateRunsFailing',
    expr: 'tollgate:run_failure:ratio1h > 0.2',
    for: '15m',
    severity: 'page',
    summary: 'More than a fifth of the runs of a task fail.',
  },
  {
    alert: 'TollgateOverrun',
    expr: `sum by (${LABEL.model}) (increase(${metric(METRIC.overrunUsd)}[1h])) > 0`,
    for: '0m',
    severity: 'page',
    summary: 'A provider charged more than was reserved: the bound of that model was too low.',
  },
  {
    alert: 'TollgateGatewayCostDiffers',
    expr: `${rate(METRIC.gatewayCostDifferences, '1h', [LABEL.model, LABEL.endpoint])} / ${rate(METRIC.gatewayCostsCompared, '1h', [LABEL.model, LABEL.endpoint])} > 0.05`,
    for: '15m',
    severity: 'ticket',
    summary: 'A gateway says that calls of a model cost something else than we settled: one of the two prices is wrong.',
  },
  {
    alert: 'TollgateSinkBehind',
    expr: `${gauge(METRIC.sinkOldestAge, [LABEL.sink])} > 900 or max by (${LABEL.sink}) (delta(${metric(METRIC.sinkDropped)}[1h])) > 0`,
    for: '5m',
    severity: 'ticket',
    summary: 'A sink of traces or feedback takes nothing, or what was for it was dropped.',
  },
  {
    alert: 'TollgateStoreDown',
    expr: `${gauge(METRIC.storeUp, [], 'min')} == 0`,
    for: '2m',
    severity: 'page',
    summary: 'A worker or the API does not reach the store; runs wait.',
  },
  {
    alert: 'TollgateNoWorker',
    expr: 'absent(up{job="tollgate-worker"} == 1)',
    for: '3m',
    severity: 'page',
    summary: 'No worker answers; every run waits.',
  },
];

/** The rules as Prometheus reads them. JSON strings are YAML strings. */
export function rulesAsYaml(): string {
  const q = (text: string) => JSON.stringify(text);
  const recording = RECORDING_RULES.flatMap(({ record, expr }) => [`      - record: ${record}`, `        expr: ${q(expr)}`]);
  const alerts = ALERT_RULES.flatMap(({ alert, expr, for: wait, severity, summary }) => [
    `      - alert: ${alert}`,
    `        expr: ${q(expr)}`,
    `        for: ${wait}`,
    `        labels: {severity: ${severity}}`,
    '        annotations:',
    `          summary: ${q(summary)}`,
    `          runbook: ${q(`docs/operating.md#${alert.toLowerCase()}`)}`,
  ]);
  return [
    '# Made by "node scripts/monitoring.ts" from the names that the code uses. Change scripts/monitoring/rules.ts.',
    'groups:',
    '  - name: tollgate',
    '    rules:',
    ...recording,
    '  - name: tollgate-alerts',
    '    rules:',
    ...alerts,
    '',
  ].join('\n');
}
