import type { ActivityPorts } from '../activities/ports.ts';
import { openEngine } from '../adapters/redaction/engine.ts';
import { loggedStore } from '../adapters/stores/logged-store.ts';
import { RunFacts } from '../adapters/stores/metered/metered-runs.ts';
import { openMetrics } from '../adapters/stores/metered/open-metrics.ts';
import { describeStore, openStore } from '../adapters/stores/open-store.ts';
import { loadProject, toProject, withWorkflows } from '../adapters/tasks/project.ts';
import { childEnvironment, loadSettings } from '../config/load.ts';
import type { SettingName } from '../config/schema.ts';
import { createScrubber } from '../domain/redaction/scrub.ts';
import type { ProjectSpec } from '../domain/task/define.ts';
import { readQuota } from '../domain/quota/quota-spec.ts';
import type { QuotaRule } from '../contracts/quota.ts';
import { createLogger } from '../telemetry/logger.ts';
import { RunTraces } from '../telemetry/run-traces.ts';
import { firstChunks } from './first-chunks.ts';
import { installRuntime } from './runtime.ts';
import { type RunningWorker, startWorker } from './start-worker.ts';
import { recordKeeper } from './record-keeper.ts';
import { mcpServersOf, payloadCodec, retainer, temporalTarget, traceExporter, wirePorts } from './wiring.ts';

export { TollgateError } from '../contracts/failures.ts';
export type { SettingName } from '../config/schema.ts';

export interface TollgateWorkerOptions {
  /**
   * The project whose tasks and tools the worker carries out: what `defineConfig` gives, or the path of a file with it.
   * Default: the file that TOLLGATE_CONFIG names, else the nearest `tollgate.config.ts`, as for `tollgate worker`.
   */
  readonly config?: ProjectSpec | string;
  /**
   * Settings by their environment variable, e.g. `{ TEMPORAL_ADDRESS: 'temporal:7233' }`; they count before the
   * environment's own, and `undefined` unsets one.
   */
  readonly settings?: { readonly [Name in SettingName]?: string | undefined };
}

/** A worker that polls until it is stopped. */
export interface TollgateWorker {
  /** Resolves when the worker has stopped, in good order; rejects where it failed. */
  readonly stopped: Promise<void>;
  /** Takes no new work, waits some seconds for paid replies, and closes the store. Answers `stopped`; may be called twice. */
  stop(): Promise<void>;
}

/**
 * Runs a worker in this process, as `tollgate worker` does in one of its own. Resolves once it polls. Temporal's SDK
 * stops it on SIGINT and SIGTERM; the process itself is not ended.
 * @throws TollgateError `invalidInput` with every mistake of the settings or the project, `temporalUnavailable`,
 * `storeUnavailable`.
 */
export async function startTollgateWorker(
  { config, settings: changes = {} }: TollgateWorkerOptions = {},
  /** @internal What `tollgate/testing` puts in place of the ports. */
  adapt: (ports: ActivityPorts) => ActivityPorts = (ports) => ports,
): Promise<TollgateWorker> {
  const settings = loadSettings(childEnvironment(changes));
  const project =
    typeof config === 'object'
      ? await withWorkflows(toProject(config, 'given to startTollgateWorker'), process.cwd(), 'given to startTollgateWorker')
      : await loadProject(config ?? settings.configPath, process.cwd());
  const scrubber = createScrubber(openEngine(project.spec.redaction ?? {}));
  const logger = createLogger({ level: settings.logLevel, name: 'worker', scrub: scrubber.json });
  const metrics = await openMetrics({ service: 'tollgate-worker', listen: settings.metrics.worker, otlpUrl: settings.metrics.otlpUrl, logger });
  const traces = new RunTraces();
  const store = await openStore(settings, (plain) => loggedStore(metrics.watch(plain), logger, traces)).catch(async (error: unknown) => {
    await metrics.close();
    throw error;
  });
  try {
    await store.syncQuotas(quotasOf(project.spec));
    installRuntime({ logger, level: settings.logLevel, traces, metricsAddress: settings.metrics.temporal });
    const { home, taskQueue, callStacks, searchAttributesOff, reconcileEveryMinutes } = settings;
    const mcpServers = mcpServersOf(settings, project, logger);
    const [temporal, ports] = await Promise.all([temporalTarget(settings), wirePorts(settings, project, store, mcpServers)]);
    // Before the first run, so that nothing ends unseen.
    const exporter = traceExporter(settings, project, store, logger);
    await exporter.start();
    const worker = await startWorker({
      temporal,
      taskQueue,
      home,
      versioning: settings,
      callStacks,
      ...(settings.healthFile === undefined ? {} : { healthFile: settings.healthFile }),
      searchAttributesOff,
      reconcileEveryMinutes,
      ports: adapt({ ...ports, ...(metrics.metrics ? { onFirstChunk: firstChunks(metrics.metrics, new RunFacts(store)) } : {}) }),
      codec: payloadCodec(settings, store),
      retain: retainer(settings, store, logger),
      keepRecord: recordKeeper(settings, project.spec, store, logger),
      logger,
      ...(project.workflowsPath === undefined ? {} : { workflowsPath: project.workflowsPath }),
    });
    logger.info({ address: temporal.address, namespace: temporal.namespace, taskQueue, home, store: describeStore(settings) }, 'worker ready');
    return closing(worker, [mcpServers, exporter, metrics, store]);
  } catch (error) {
    await metrics.close();
    await store.close();
    throw error;
  }
}

/** The quotas of a configuration, which was checked when it was loaded. */
function quotasOf({ quotas = [] }: ProjectSpec): QuotaRule[] {
  return quotas.flatMap((spec) => {
    const read = readQuota(spec);
    return read.type === 'quota' ? [read.rule] : [];
  });
}

/** What a worker uses outlives it: it writes to the store until its last activity has ended. */
function closing(worker: RunningWorker, parts: readonly { close(): Promise<void> }[]): TollgateWorker {
  const stopped = worker.stopped.finally(async () => {
    for (const part of parts) await part.close();
  });
  let isStopping = false;
  return {
    stopped,
    stop() {
      if (!isStopping) worker.stop();
      isStopping = true;
      return stopped;
    },
  };
}
