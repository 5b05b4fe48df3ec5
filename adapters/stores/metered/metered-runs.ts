import type { RunKey } from '../../../contracts/ids.ts';
import type { RedactionRecord } from '../../../domain/redaction/store-port.ts';
import type { Store } from '../../../domain/store/port.ts';
import type { Labels, Metrics } from '../../../telemetry/metrics.ts';
import { METRIC, METRIC_LABEL, TOLLGATE } from '../../../telemetry/names.ts';
import { orNull, quietly } from './quietly.ts';
import { Remembered } from './remembered.ts';

const REMEMBERED_RUNS = 10_000;

/** Task, feature and tenant of runs: each is looked up once. */
export class RunFacts {
  readonly #store: Store;
  readonly #labels = new Remembered<Labels>(REMEMBERED_RUNS);

  constructor(store: Store) {
    this.#store = store;
  }

  async labels(runKey: RunKey): Promise<Labels> {
    const known = this.#labels.get(nameOf(runKey));
    if (known) return known;
    const run = await this.#store.getRun(runKey);
    return run ? this.remember(runKey, run) : {};
  }

  remember(runKey: RunKey, { task, tenant, feature }: { readonly task: string; readonly tenant: string; readonly feature: string }): Labels {
    const labels = { [TOLLGATE.task]: task, [TOLLGATE.tenant]: tenant, [TOLLGATE.feature]: feature };
    this.#labels.set(nameOf(runKey), labels);
    return labels;
  }
}

export function nameOf({ agentRunId, firstExecutionRunId }: RunKey): string {
  return `${agentRunId}/${firstExecutionRunId}`;
}

type RunsPart = Pick<Store, 'createRun' | 'endRun' | 'recordRedaction' | 'putFeedback'>;

/** Counts runs, what redaction found in them, and what people thought of them. */
export function meteredRuns(store: Store, metrics: Metrics, facts: RunFacts): RunsPart {
  return {
    createRun: async (run) => {
      const created = await store.createRun(run);
      const labels = facts.remember(run.runKey, run);
      if (created === 'created') metrics.count(METRIC.runsStarted, 1, labels);
      return created;
    },
    endRun: async (runKey, end, steps) => {
      // The first end stays, and a reset may take it back.
      const before = await orNull(store.getRun(runKey));
      const holds = await store.endRun(runKey, end, steps);
      if (before?.endedAtMs === null) metrics.count(METRIC.runsEnded, 1, { ...facts.remember(runKey, before), [TOLLGATE.runStatus]: holds.status });
      return holds;
    },
    recordRedaction: async (runKey, record) => {
      const recorded = await store.recordRedaction(runKey, record);
      if (recorded === 'recorded' && record.counts.length > 0) quietly(async () => countFindings(metrics, await facts.labels(runKey), record));
      return recorded;
    },
    putFeedback: async (feedback) => {
      const answer = await store.putFeedback(feedback);
      const { runKey, scorePerMille, label } = feedback;
      const verdict = scorePerMille > 0 ? 'good' : scorePerMille < 0 ? 'bad' : 'neutral';
      const given = { [METRIC_LABEL.verdict]: verdict, [METRIC_LABEL.label]: label ?? '' };
      if (answer.type === 'given') quietly(async () => metrics.count(METRIC.feedback, 1, { ...(await facts.labels(runKey)), ...given }));
      return answer;
    },
  };
}

function countFindings(metrics: Metrics, labels: Labels, { counts }: RedactionRecord): void {
  for (const { place, type, action, count } of counts)
    metrics.count(METRIC.policyTriggers, count, { ...labels, [METRIC_LABEL.place]: place, [METRIC_LABEL.finding]: type, [METRIC_LABEL.action]: action });
}
