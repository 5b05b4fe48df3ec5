import { METRIC } from './names.ts';

export type MetricName = (typeof METRIC)[keyof typeof METRIC];

export interface MetricDefinition {
  readonly kind: 'counter' | 'histogram' | 'gauge';
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

const doubling = (from: number, count: number) => Array.from({ length: count }, (_, index) => Number((from * 2 ** index).toPrecision(6)));
/** As the conventions say. */
const TOKEN_BUCKETS = Array.from({ length: 14 }, (_, index) => 4 ** index);
const DURATION_BUCKETS = [...doubling(0.01, 14), 163.84, 327.68];
/** People take minutes to days. */
const WAIT_BUCKETS = [10, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800];

const counter = (description: string, unit = '1'): MetricDefinition => ({ kind: 'counter', unit, description });
const gauge = (description: string, unit = '1'): MetricDefinition => ({ kind: 'gauge', unit, description });
const histogram = (description: string, unit: string, buckets: readonly number[]): MetricDefinition => ({ kind: 'histogram', unit, description, buckets });

/** Every metric that is counted here: what docs, dashboards and rules may ask for. */
export const METRIC_TABLE: Readonly<Partial<Record<MetricName, MetricDefinition>>> = {
  [METRIC.tokenUsage]: histogram('Tokens of a call, input and output', '{token}', TOKEN_BUCKETS),
  [METRIC.operationDuration]: histogram('From the reservation of an attempt to what came of it', 's', DURATION_BUCKETS),
  [METRIC.timeToFirstChunk]: histogram('From sending a request to the first part of its streamed reply', 's', DURATION_BUCKETS),
  [METRIC.toolDuration]: histogram('From the intent of a tool call to its outcome', 's', DURATION_BUCKETS),
  [METRIC.tokens]: counter('Tokens by kind', '{token}'),
  [METRIC.attempts]: counter('Attempts by what came of them'),
  [METRIC.fallbacks]: counter('Replies of another candidate than the first one of their step'),
  [METRIC.skips]: counter('Candidates that were passed over, by why'),
  [METRIC.reservedUsd]: counter('Money reserved before calls', 'USD'),
  [METRIC.settledUsd]: counter('Money that providers charged', 'USD'),
  [METRIC.writtenOffUsd]: counter('Held money that people gave up', 'USD'),
  [METRIC.overrunUsd]: counter('Money charged beyond what was reserved', 'USD'),
  [METRIC.gatewayCostsCompared]: counter('Calls for which a gateway said what they cost, beside our own price'),
  [METRIC.gatewayCostDifferences]: counter('Of these: calls for which it said something else than we settled, more or less'),
  [METRIC.gatewayCostDifferenceUsd]: counter('By how much, more or less', 'USD'),
  [METRIC.rejections]: counter('Calls that were not sent because they did not fit, by the scope that was short'),
  [METRIC.runsStarted]: counter('Runs that were started'),
  [METRIC.runsEnded]: counter('Runs that ended, by how'),
  [METRIC.policyTriggers]: counter('What redaction found, by where, what and what was done'),
  [METRIC.gatesOpened]: counter('Gates that were opened'),
  [METRIC.gatesEnded]: counter('Gates that were decided or closed, by how'),
  [METRIC.gateWait]: histogram('From the opening of a gate to its decision or end', 's', WAIT_BUCKETS),
  [METRIC.decisions]: counter('Decisions that people sent, accepted and refused'),
  [METRIC.toolCalls]: counter('Tool calls by what came of them'),
  [METRIC.feedback]: counter('What people thought of runs'),
  [METRIC.storeUp]: gauge('Whether the store answered when the values below were read'),
  [METRIC.openRuns]: gauge('Runs that have not ended'),
  [METRIC.waitingRuns]: gauge('Of these: runs that wait at a gate'),
  [METRIC.openGates]: gauge('Gates that wait for a person'),
  [METRIC.oldestGateAge]: gauge('How long the oldest open gate has waited', 's'),
  [METRIC.nextGateExpiry]: gauge('How long until the next open gate expires', 's'),
  [METRIC.heldUsd]: gauge('Money held: in flight, or of unknown outcome', 'USD'),
  [METRIC.heldAttempts]: gauge('Attempts whose money is held'),
  [METRIC.oldestHeldAge]: gauge('How long the oldest held money has been held', 's'),
  [METRIC.breakerState]: gauge('Breaker of a model at its endpoint: 0 closed, 1 half open, 2 open'),
  [METRIC.quotaUsed]: gauge('Settled, held and written off in the window under way, in USD or tokens'),
  [METRIC.quotaLimit]: gauge('What a quota allows in a window, in USD or tokens'),
  [METRIC.sinkPending]: gauge('What has ended or was said and waits to be sent to a sink'),
  [METRIC.sinkOldestAge]: gauge('How long the oldest of that has waited', 's'),
  [METRIC.sinkExported]: gauge('Spans or feedback that a sink took, since it is known'),
  [METRIC.sinkDropped]: gauge('Of these: what it refused, or what had to make room'),
};

/** The name that the Prometheus endpoint gives to a metric. */
export function prometheusName(name: MetricName): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return METRIC_TABLE[name]?.kind === 'counter' ? `${plain}_total` : plain;
}

/** The name that the Prometheus endpoint gives to an attribute. */
export function prometheusLabel(attribute: string): string {
  return attribute.replaceAll(/[^A-Za-z0-9_]/g, '_');
}
