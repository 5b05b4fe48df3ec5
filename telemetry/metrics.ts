import type { Attributes, Counter, Histogram, ObservableGauge } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, type IMetricReader, MeterProvider, MetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { METRIC_TABLE, type MetricName } from './metric-table.ts';
import { SCOPE } from './names.ts';

/** Different values of one label; every further one counts as `other`. */
const MAX_LABEL_VALUES = 100;
const MAX_LABEL_LENGTH = 100;
/** What is read from the store serves whoever asks within this time. */
const GAUGE_CACHE_MS = 10_000;
const EXPORT_INTERVAL_MS = 15_000;
const EXPORT_TIMEOUT_MS = 5_000;

export type Labels = Readonly<Record<string, string>>;

/** A value of a gauge, as the store has it now. */
export interface GaugeValue {
  readonly name: MetricName;
  readonly value: number;
  readonly labels?: Labels;
}

export interface MetricsOptions {
  /** `service.name` and `service.instance.id` of the process. */
  readonly service: string;
  readonly instance: string;
  /** A collector's address for metrics, with its path. */
  readonly otlpUrl?: string;
  /** Reads the gauges; asked at most once in ten seconds. Where it fails, counters are still answered. */
  readonly readGauges?: () => Promise<readonly GaugeValue[]>;
}

/** What a process counts. Counting never throws and never waits. */
export class Metrics {
  readonly #counters = new Map<MetricName, Counter>();
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #labels = new BoundedLabels();
  readonly #reader = new PullReader();
  readonly #provider: MeterProvider;
  readonly #serializer = new PrometheusSerializer('', false, undefined, true, true);

  constructor({ service, instance, otlpUrl, readGauges }: MetricsOptions) {
    const readers: IMetricReader[] = [this.#reader, ...(otlpUrl === undefined ? [] : [pushReader(otlpUrl)])];
    const resource = resourceFromAttributes({ 'service.name': service, 'service.instance.id': instance });
    this.#provider = new MeterProvider({ resource, readers, views: VIEWS });
    const meter = this.#provider.getMeter(SCOPE);
    const gauges = new Map<string, ObservableGauge>();
    for (const [name, { kind, ...options }] of Object.entries(METRIC_TABLE) as [MetricName, (typeof METRIC_TABLE)[MetricName] & object][]) {
      if (kind === 'counter') this.#counters.set(name, meter.createCounter(name, options));
      else if (kind === 'histogram') this.#histograms.set(name, meter.createHistogram(name, options));
      else gauges.set(name, meter.createObservableGauge(name, options));
    }
    if (!readGauges) return;
    const read = cached(readGauges, GAUGE_CACHE_MS);
    meter.addBatchObservableCallback(
      async (result) => {
        for (const { name, value, labels = {} } of await read()) {
          const gauge = gauges.get(name);
          if (gauge) result.observe(gauge, value, this.#labels.bounded(labels));
        }
      },
      [...gauges.values()],
    );
  }

  count(name: MetricName, by: number, labels: Labels): void {
    if (by > 0) this.#counters.get(name)?.add(by, this.#labels.bounded(labels));
  }

  record(name: MetricName, value: number, labels: Labels): void {
    this.#histograms.get(name)?.record(value, this.#labels.bounded(labels));
  }

  /** Everything in the text format of Prometheus. */
  async text(): Promise<string> {
    const { resourceMetrics } = await this.#reader.collect();
    return `${this.#serializer.serialize(resourceMetrics as unknown as Parameters<PrometheusSerializer['serialize']>[0])}\n`;
  }

  /** Sends what is left to the collector, for as long as that answers. */
  async close(): Promise<void> {
    await this.#provider.shutdown({ timeoutMillis: EXPORT_TIMEOUT_MS }).catch(() => undefined);
  }
}

/** The buckets of each histogram. */
const VIEWS = Object.entries(METRIC_TABLE).flatMap(([instrumentName, { buckets }]) =>
  buckets === undefined
    ? []
    : [
        {
          instrumentName,
          aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM as const, options: { boundaries: [...buckets], recordMinMax: false } },
        },
      ],
);

/** Collects when it is asked. */
class PullReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

function pushReader(url: string): IMetricReader {
  const exporter = new OTLPMetricExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  return new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: EXPORT_INTERVAL_MS, exportTimeoutMillis: EXPORT_TIMEOUT_MS });
}

/** Whoever runs Tollgate chooses tenants and tasks, and models choose names of tools: no label may grow without end. */
class BoundedLabels {
  readonly #seen = new Map<string, Set<string>>();

  bounded(labels: Labels): Attributes {
    return Object.fromEntries(Object.entries(labels).map(([label, value]) => [label, this.#value(label, value.slice(0, MAX_LABEL_LENGTH))]));
  }

  #value(label: string, value: string): string {
    const seen = this.#seen.get(label) ?? new Set();
    this.#seen.set(label, seen);
    if (seen.has(value)) return value;
    if (seen.size >= MAX_LABEL_VALUES) return 'other';
    seen.add(value);
    return value;
  }
}

function cached<T>(read: () => Promise<T>, forMs: number): () => Promise<T> {
  let last: { readonly atMs: number; readonly value: Promise<T> } | null = null;
  return () => {
    if (!last || Date.now() - last.atMs >= forMs) last = { atMs: Date.now(), value: read() };
    return last.value;
  };
}
