import { METRIC_TABLE, type MetricName, prometheusLabel, prometheusName } from '../../telemetry/metric-table.ts';
import { GEN_AI, METRIC, METRIC_LABEL, TOLLGATE } from '../../telemetry/names.ts';

// Queries are written with the names that the code uses, so that a name that changes there changes here.

const label = prometheusLabel;
export const LABEL = {
  task: label(TOLLGATE.task),
  tenant: label(TOLLGATE.tenant),
  feature: label(TOLLGATE.feature),
  model: label(GEN_AI.requestModel),
  tool: label(GEN_AI.toolName),
  endpoint: label(TOLLGATE.endpoint),
  outcome: label(TOLLGATE.outcome),
  runStatus: label(TOLLGATE.runStatus),
  gateKind: label(TOLLGATE.gateKind),
  gateStatus: label(TOLLGATE.gateStatus),
  toolStatus: label(TOLLGATE.toolStatus),
  skipReason: label(TOLLGATE.skipReason),
  tokenKind: label(METRIC_LABEL.tokenKind),
  direction: label(METRIC_LABEL.direction),
  sink: label(METRIC_LABEL.sink),
  scope: label(METRIC_LABEL.scope),
  finding: label(METRIC_LABEL.finding),
  action: label(METRIC_LABEL.action),
  verdict: label(METRIC_LABEL.verdict),
  quota: label(METRIC_LABEL.quota),
  per: label(METRIC_LABEL.per),
  unit: label(METRIC_LABEL.unit),
} as const;

/** A metric of ours by its name in Prometheus. @throws where the code does not count it. */
export function metric(name: MetricName, part: '' | '_bucket' | '_sum' | '_count' = '', where = ''): string {
  if (!METRIC_TABLE[name]) throw new Error(`${name} is counted nowhere`);
  return `${prometheusName(name)}${part}${where === '' ? '' : `{${where}}`}`;
}

/** How fast a counter grows, in a window that Grafana or a rule gives. */
export function rate(name: MetricName, window: string, by: readonly string[] = [], where = '', part: '' | '_bucket' | '_sum' | '_count' = ''): string {
  return `sum${by.length > 0 ? ` by (${by.join(', ')})` : ''} (rate(${metric(name, part, where)}[${window}]))`;
}

export function quantile(share: number, name: MetricName, window: string, by: readonly string[] = []): string {
  return `histogram_quantile(${share}, ${rate(name, window, ['le', ...by], '', '_bucket')})`;
}

/** A value that every process reads from the one store. */
export function gauge(name: MetricName, by: readonly string[] = [], aggregate = 'max'): string {
  return `${aggregate}${by.length > 0 ? ` by (${by.join(', ')})` : ''} (${metric(name)})`;
}

/** What happens rarely is zero until it happens. */
export function orZero(query: string): string {
  return `${query} or vector(0)`;
}

export { METRIC };
