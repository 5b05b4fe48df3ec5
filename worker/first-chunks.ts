import type { ActivityPorts } from '../activities/ports.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { GEN_AI, METRIC, OPERATION } from '../telemetry/names.ts';

/** Records how long the first part of a streamed reply took. Only the sender knows it, so no journal has it. */
export function firstChunks(metrics: Metrics): NonNullable<ActivityPorts['onFirstChunk']> {
  return ({ model, provider }, tookMs) =>
    metrics.record(METRIC.timeToFirstChunk, tookMs / 1_000, {
      [GEN_AI.operation]: OPERATION.chat,
      [GEN_AI.provider]: provider,
      [GEN_AI.requestModel]: model,
    });
}
