import type { ActivityPorts } from '../activities/ports.ts';
import type { RunFacts } from '../adapters/stores/metered/metered-runs.ts';
import { quietly } from '../adapters/stores/metered/quietly.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { GEN_AI, METRIC, OPERATION } from '../telemetry/names.ts';

/** Records how long the first part of a streamed reply took. Only the sender knows it, so no journal has it. */
export function firstChunks(metrics: Metrics, facts: RunFacts): NonNullable<ActivityPorts['onFirstChunk']> {
  return ({ runKey, model, provider }, tookMs) =>
    quietly(async () =>
      metrics.record(METRIC.timeToFirstChunk, tookMs / 1_000, {
        ...(await facts.labels(runKey)),
        [GEN_AI.operation]: OPERATION.chat,
        [GEN_AI.provider]: provider,
        [GEN_AI.requestModel]: model,
      }),
    );
}
