import { gauge, LABEL, METRIC, metric, orZero, quantile, rate } from './queries.ts';

export interface Panel {
  readonly title: string;
  readonly unit: 'currencyUSD' | 'short' | 's' | 'percentunit' | 'reqps';
  readonly kind: 'timeseries' | 'stat' | 'bargauge';
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
}

const WINDOW = '5m';
const q = (expr: string, legend = '') => ({ expr, legend });
const shown = (...labels: readonly string[]) => labels.map((label) => `{{${label}}}`).join(' ');

/** Rows of panels, from what it costs to the queues below it. */
export const ROWS: readonly { readonly title: string; readonly panels: readonly Panel[] }[] = [
  {
    title: 'Money',
    panels: [
      {
        title: 'Spend per hour by tenant',
        unit: 'currencyUSD',
        kind: 'timeseries',
        queries: [q(`3600 * ${rate(METRIC.settledUsd, WINDOW, [LABEL.tenant])}`, shown(LABEL.tenant))],
      },
      {
        title: 'Spend per hour by model',
        unit: 'currencyUSD',
        kind: 'timeseries',
        queries: [q(`3600 * ${rate(METRIC.settledUsd, WINDOW, [LABEL.model])}`, shown(LABEL.model))],
      },
      {
        title: 'Reserved and settled per hour',
        unit: 'currencyUSD',
        kind: 'timeseries',
        queries: [q(`3600 * ${rate(METRIC.reservedUsd, WINDOW)}`, 'reserved'), q(`3600 * ${rate(METRIC.settledUsd, WINDOW)}`, 'settled')],
      },
      { title: 'Held', unit: 'currencyUSD', kind: 'stat', queries: [q(gauge(METRIC.heldUsd), 'held')] },
      { title: 'Oldest held money', unit: 's', kind: 'stat', queries: [q(gauge(METRIC.oldestHeldAge), 'age')] },
      {
        title: 'Overruns and write-offs in a day',
        unit: 'currencyUSD',
        kind: 'stat',
        queries: [
          q(orZero(`sum(increase(${metric(METRIC.overrunUsd)}[1d]))`), 'overrun'),
          q(orZero(`sum(increase(${metric(METRIC.writtenOffUsd)}[1d]))`), 'written off'),
        ],
      },
      {
        title: 'Calls for which a gateway says another cost, in an hour',
        unit: 'short',
        kind: 'timeseries',
        queries: [
          q(
            orZero(`sum by (${LABEL.model}, ${LABEL.direction}) (increase(${metric(METRIC.gatewayCostDifferences)}[1h]))`),
            shown(LABEL.model, LABEL.direction),
          ),
          q(orZero(`sum(increase(${metric(METRIC.gatewayCostsCompared)}[1h]))`), 'compared'),
        ],
      },
      {
        title: 'By how much a gateway says more or less, in a day',
        unit: 'currencyUSD',
        kind: 'stat',
        queries: [q(orZero(`sum by (${LABEL.direction}) (increase(${metric(METRIC.gatewayCostDifferenceUsd)}[1d]))`), shown(LABEL.direction))],
      },
      {
        title: 'Use of quotas',
        unit: 'percentunit',
        kind: 'bargauge',
        queries: [q('tollgate:quota_used:ratio', shown(LABEL.tenant, LABEL.feature, LABEL.per, LABEL.unit))],
      },
      {
        title: 'Calls that did not fit',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(orZero(rate(METRIC.rejections, WINDOW, [LABEL.scope])), shown(LABEL.scope))],
      },
    ],
  },
  {
    title: 'Models',
    panels: [
      {
        title: 'Attempts by what came of them',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.attempts, WINDOW, [LABEL.outcome]), shown(LABEL.outcome))],
      },
      {
        title: 'Latency by task, p50 and p95',
        unit: 's',
        kind: 'timeseries',
        queries: [
          q(quantile(0.5, METRIC.operationDuration, WINDOW, [LABEL.task]), `p50 ${shown(LABEL.task)}`),
          q(quantile(0.95, METRIC.operationDuration, WINDOW, [LABEL.task]), `p95 ${shown(LABEL.task)}`),
        ],
      },
      {
        title: 'Latency by model, p95',
        unit: 's',
        kind: 'timeseries',
        queries: [q(quantile(0.95, METRIC.operationDuration, WINDOW, [LABEL.model]), shown(LABEL.model))],
      },
      {
        title: 'Time to first part of a streamed reply, p95',
        unit: 's',
        kind: 'timeseries',
        queries: [q(quantile(0.95, METRIC.timeToFirstChunk, WINDOW, [LABEL.task, LABEL.model]), shown(LABEL.task, LABEL.model))],
      },
      { title: 'Tokens by kind', unit: 'short', kind: 'timeseries', queries: [q(rate(METRIC.tokens, WINDOW, [LABEL.tokenKind]), shown(LABEL.tokenKind))] },
      { title: 'Share of input that was cached', unit: 'percentunit', kind: 'timeseries', queries: [q('tollgate:cached_input:ratio5m', 'cached')] },
      { title: 'Share of replies by fallback', unit: 'percentunit', kind: 'timeseries', queries: [q('tollgate:fallback:ratio5m', 'fallback')] },
      {
        title: 'Candidates passed over',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(orZero(rate(METRIC.skips, WINDOW, [LABEL.skipReason])), shown(LABEL.skipReason))],
      },
      {
        title: 'Breakers (0 closed, 1 half open, 2 open)',
        unit: 'short',
        kind: 'timeseries',
        queries: [q(gauge(METRIC.breakerState, [LABEL.model, LABEL.endpoint]), shown(LABEL.model, LABEL.endpoint))],
      },
      {
        title: 'Tokens of a call, p95',
        unit: 'short',
        kind: 'timeseries',
        queries: [q(quantile(0.95, METRIC.tokenUsage, WINDOW, ['gen_ai_token_type']), '{{gen_ai_token_type}}')],
      },
    ],
  },
  {
    title: 'Runs and gates',
    panels: [
      {
        title: 'Runs started and ended',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.runsStarted, WINDOW), 'started'), q(rate(METRIC.runsEnded, WINDOW, [LABEL.runStatus]), shown(LABEL.runStatus))],
      },
      {
        title: 'Runs that go on',
        unit: 'short',
        kind: 'stat',
        queries: [q(gauge(METRIC.openRuns), 'open'), q(gauge(METRIC.waitingRuns), 'waiting for a person')],
      },
      { title: 'Open gates', unit: 'short', kind: 'timeseries', queries: [q(orZero(gauge(METRIC.openGates, [LABEL.gateKind])), shown(LABEL.gateKind))] },
      {
        title: 'Oldest open gate, and the next to expire',
        unit: 's',
        kind: 'stat',
        queries: [q(orZero(gauge(METRIC.oldestGateAge)), 'oldest'), q(orZero(gauge(METRIC.nextGateExpiry, [], 'min')), 'expires in')],
      },
      {
        title: 'Gates opened, and how they ended',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.gatesOpened, WINDOW), 'opened'), q(rate(METRIC.gatesEnded, WINDOW, [LABEL.gateStatus]), shown(LABEL.gateStatus))],
      },
      {
        title: 'Wait at gates, p50 and p95',
        unit: 's',
        kind: 'timeseries',
        queries: [q(quantile(0.5, METRIC.gateWait, '1h'), 'p50'), q(quantile(0.95, METRIC.gateWait, '1h'), 'p95')],
      },
      {
        title: 'Decisions that people sent',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.decisions, WINDOW, ['tollgate_decision']), '{{tollgate_decision}}')],
      },
      {
        title: 'Tool calls by what came of them',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.toolCalls, WINDOW, [LABEL.toolStatus]), shown(LABEL.toolStatus))],
      },
      { title: 'Tools, p95', unit: 's', kind: 'timeseries', queries: [q(quantile(0.95, METRIC.toolDuration, WINDOW, [LABEL.tool]), shown(LABEL.tool))] },
      {
        title: 'What redaction found',
        unit: 'reqps',
        kind: 'timeseries',
        queries: [q(rate(METRIC.policyTriggers, WINDOW, [LABEL.finding, LABEL.action]), shown(LABEL.finding, LABEL.action))],
      },
      { title: 'Feedback', unit: 'reqps', kind: 'timeseries', queries: [q(orZero(rate(METRIC.feedback, WINDOW, [LABEL.verdict])), shown(LABEL.verdict))] },
    ],
  },
  {
    title: 'Workers (from the Temporal SDK)',
    panels: [
      {
        title: 'Free task slots',
        unit: 'short',
        kind: 'timeseries',
        queries: [q('sum by (worker_type) (temporal_worker_task_slots_available)', '{{worker_type}}')],
      },
      { title: 'Pollers', unit: 'short', kind: 'timeseries', queries: [q('sum by (poller_type) (temporal_num_pollers)', '{{poller_type}}')] },
      {
        title: 'Activities wait in the queue, p95',
        unit: 's',
        kind: 'timeseries',
        queries: [q('histogram_quantile(0.95, sum by (le) (rate(temporal_activity_schedule_to_start_latency_seconds_bucket[5m])))', 'p95')],
      },
      {
        title: 'Workflow tasks wait in the queue, p95',
        unit: 's',
        kind: 'timeseries',
        queries: [q('histogram_quantile(0.95, sum by (le) (rate(temporal_workflow_task_schedule_to_start_latency_seconds_bucket[5m])))', 'p95')],
      },
      { title: 'Processes that answer', unit: 'short', kind: 'stat', queries: [q('sum by (job) (up)', '{{job}}')] },
      {
        title: 'What waits for sinks of traces and feedback',
        unit: 'short',
        kind: 'timeseries',
        queries: [q(orZero(gauge(METRIC.sinkPending, [LABEL.sink])), shown(LABEL.sink))],
      },
      {
        title: 'What sinks took and what was dropped for them',
        unit: 'short',
        kind: 'stat',
        queries: [
          q(orZero(gauge(METRIC.sinkExported, [LABEL.sink])), `taken ${shown(LABEL.sink)}`),
          q(orZero(gauge(METRIC.sinkDropped, [LABEL.sink])), `dropped ${shown(LABEL.sink)}`),
        ],
      },
      { title: 'Store', unit: 'short', kind: 'stat', queries: [q(gauge(METRIC.storeUp, [], 'min'), 'up')] },
    ],
  },
];

const PANELS_IN_A_ROW = 3;
const WIDTH = 24 / PANELS_IN_A_ROW;
const HEIGHT = 7;

/** The dashboard as Grafana reads it from a file. */
export function dashboardAsJson(): string {
  const panels: object[] = [];
  let y = 0;
  for (const row of ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title: row.title, collapsed: false, gridPos: { x: 0, y, w: 24, h: 1 }, panels: [] });
    y += 1;
    for (const [index, { title, unit, kind, queries }] of row.panels.entries()) {
      const gridPos = { x: (index % PANELS_IN_A_ROW) * WIDTH, y: y + Math.floor(index / PANELS_IN_A_ROW) * HEIGHT, w: WIDTH, h: HEIGHT };
      panels.push({
        id: panels.length + 1,
        type: kind,
        title,
        gridPos,
        datasource: { type: 'prometheus', uid: 'tollgate-prometheus' },
        fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
        targets: queries.map(({ expr, legend }, place) => ({ refId: String.fromCharCode(65 + place), expr, legendFormat: legend })),
      });
    }
    y += Math.ceil(row.panels.length / PANELS_IN_A_ROW) * HEIGHT;
  }
  const dashboard = {
    uid: 'tollgate',
    title: 'Tollgate',
    tags: ['tollgate'],
    timezone: 'utc',
    schemaVersion: 39,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    templating: { list: [] },
    annotations: { list: [] },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}
