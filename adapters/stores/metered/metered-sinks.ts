import type { Store } from '../../../domain/store/port.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import { METRIC, METRIC_LABEL } from '../../../telemetry/names.ts';

type SinksPart = Pick<Store, 'settleEnded' | 'trimEnded'>;

/** Counts spans that sinks took, and those that were dropped. */
export function meteredSinks(store: Store, metrics: Metrics): SinksPart {
  const count = (sink: string, exported: number, dropped: number) => {
    if (exported > 0) metrics.count(METRIC.spansExported, exported, { [METRIC_LABEL.sink]: sink });
    if (dropped > 0) metrics.count(METRIC.spansDropped, dropped, { [METRIC_LABEL.sink]: sink });
  };
  return {
    settleEnded: async (sink, ids, counts) => {
      await store.settleEnded(sink, ids, counts);
      count(sink, counts.exported, counts.dropped);
    },
    trimEnded: async (sink, keep) => {
      const dropped = await store.trimEnded(sink, keep);
      count(sink, 0, dropped);
      return dropped;
    },
  };
}
