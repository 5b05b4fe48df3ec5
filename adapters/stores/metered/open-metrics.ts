import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Store } from '../../../domain/store/port.ts';
import { Metrics } from '../../../telemetry/metrics.ts';
import { serveMetrics } from '../../../telemetry/metrics-server.ts';
import { meteredStore } from './metered-store.ts';
import { readStoreGauges } from './store-gauges.ts';

export interface OpenMetricsOptions {
  readonly service: 'tollgate-worker' | 'tollgate-api';
  /** Where they are served, `host:port`. */
  readonly listen?: string | undefined;
  /** Where they are sent. */
  readonly otlpUrl?: string | undefined;
  readonly logger: Logger;
}

/** The metrics of a process, if it is to have any. */
export interface OpenMetrics {
  readonly metrics: Metrics | null;
  /** Goes around the store, below its seal. */
  watch(store: Store): Store;
  close(): Promise<void>;
}

/** Never throws: a process works without its metrics. Gauges are there once a store is watched. */
export async function openMetrics({ service, listen, otlpUrl, logger }: OpenMetricsOptions): Promise<OpenMetrics> {
  if (listen === undefined && otlpUrl === undefined) return { metrics: null, watch: (store) => store, close: async () => undefined };
  let watched: Store | null = null;
  const readGauges = async () => (watched ? await readStoreGauges(watched) : []);
  const metrics = new Metrics({ service, instance: randomUUID(), readGauges, ...(otlpUrl === undefined ? {} : { otlpUrl }) });
  const server = listen === undefined ? null : await serveMetrics(metrics, listen, logger);
  return {
    metrics,
    watch(store) {
      watched = store;
      return meteredStore(store, metrics);
    },
    async close() {
      await Promise.allSettled([server?.close(), metrics.close()]);
    },
  };
}
