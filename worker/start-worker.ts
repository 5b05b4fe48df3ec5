import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { NativeConnection, type TLSConfig, Worker } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import type { ActivityPorts } from '../activities/ports.ts';
import { bundleOption } from './call-stacks.ts';
import { translatedConnectError } from './connect-error.ts';
import type { SearchAttributeTopic } from '../contracts/temporal.ts';
import { ensureReconcileSchedule } from './reconcile-schedule.ts';
import { registerSearchAttributes } from './search-attributes.ts';
import { Sweeper } from './sweeper.ts';
import { UnwatchedWorker } from './unwatched-worker.ts';
import { dataConverter, workflowBundle } from './workflow-bundle.ts';

const SWEEP_INTERVAL_MS = 5_000;
/** How often windows of quotas that are over for long are looked for. */
const PRUNE_INTERVAL_MS = 600_000;
/** A task handed to a dead worker's own queue is given to another after this long (Temporal's default: 10 s). */
const STICKY_TIMEOUT_MS = 1_000;
/**
 * Few polls: each one that a frozen worker still has open takes a task with it, which comes back after a timeout. A number
 * that grows with the load costs a tenth more CPU, and most tasks come without a poll, in answer to the one before.
 */
const WORKFLOW_POLLERS = { type: 'simple-maximum', maximum: 4 } as const;
/** A task queue has four partitions. With four polls one of them is at times without, and its activities wait for two seconds. */
const ACTIVITY_POLLERS = { type: 'simple-maximum', maximum: 10 } as const;
/** Waiting for paid replies when the worker is told to stop. */
const SHUTDOWN_GRACE_MS = 12_000;

export interface Versioning {
  readonly deployment?: string;
  readonly buildId?: string;
}

export interface WorkerOptions {
  readonly temporal: { readonly address: string; readonly namespace: string; readonly apiKey?: string; readonly tls?: TLSConfig | boolean };
  readonly taskQueue: string;
  readonly home: string;
  readonly versioning: Versioning;
  /** Whether the Temporal Web UI can show where a run stands in its code. */
  readonly callStacks: boolean;
  /** Touched as long as Temporal and the store answer, for whoever watches the process. */
  readonly healthFile?: string;
  readonly searchAttributesOff: readonly SearchAttributeTopic[];
  /** How often held money is reconciled, in minutes; 0 creates no schedule for it. */
  readonly reconcileEveryMinutes: number;
  readonly ports: ActivityPorts;
  /** Opens and seals payloads. */
  readonly codec: PayloadCodec;
  /** Removes some of what is older than the settings keep it; asked every few seconds. */
  readonly retain: () => Promise<void>;
  /** Work of the record: anchors of the audit, notifications. Asked every few seconds; bounded. */
  readonly keepRecord: () => Promise<void>;
  readonly logger: Logger;
  /** A module with workflows of the project's own, bundled with ours. */
  readonly workflowsPath?: string;
}

export interface RunningWorker {
  /** Resolves when the worker has stopped. */
  readonly stopped: Promise<void>;
  stop(): void;
}

/** Connects, registers the search attributes, and polls until stopped. @throws TollgateError `temporalUnavailable`. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { temporal, taskQueue, home, ports, logger } = options;
  const connectOptions = { address: temporal.address, ...(temporal.apiKey ? { apiKey: temporal.apiKey } : {}), ...(temporal.tls ? { tls: temporal.tls } : {}) };
  const [native, connection] = await Promise.all([
    NativeConnection.connect(connectOptions),
    Connection.connect({ ...connectOptions, connectTimeout: 4_000 }),
  ]).catch((error: unknown) => {
    throw translatedConnectError(temporal.address, error);
  });
  await registerSearchAttributes(connection, temporal.namespace, options.searchAttributesOff).catch((error: unknown) =>
    logger.warn({ error: String(error) }, 'search attributes could not be registered; "tollgate doctor" says which are missing'),
  );
  const codePath = await workflowBundle(join(home, 'cache'), options.workflowsPath);
  const worker = await (options.workflowsPath === undefined ? UnwatchedWorker : Worker).create({
    connection: native,
    namespace: temporal.namespace,
    taskQueue,
    workflowBundle: await bundleOption(codePath, options),
    ...versionOptions(options.versioning, codePath),
    dataConverter: dataConverter(options.codec),
    activities: { ...createActivities(ports) },
    workflowTaskPollerBehavior: WORKFLOW_POLLERS,
    activityTaskPollerBehavior: ACTIVITY_POLLERS,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT_MS,
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    shutdownForceTime: SHUTDOWN_GRACE_MS + 5_000,
  });
  const client = new Client({ connection, namespace: temporal.namespace, dataConverter: { payloadCodecs: [options.codec] } });
  if (options.reconcileEveryMinutes > 0)
    await ensureReconcileSchedule(client, taskQueue, options.reconcileEveryMinutes).catch((error: unknown) =>
      logger.warn({ error: String(error) }, 'the schedule that reconciles held money could not be created; "tollgate reconcile" does it by hand'),
    );
  const sweeper = new Sweeper(client, ports.store, taskQueue);
  let prunedAtMs = 0;
  const lookAround = async () => {
    await sweeper.sweep();
    await options.retain();
    await connection.workflowService.getSystemInfo({});
    if (options.healthFile !== undefined) await writeFile(options.healthFile, `${new Date().toISOString()}\n`);
    if (Date.now() - prunedAtMs >= PRUNE_INTERVAL_MS) {
      prunedAtMs = Date.now();
      await ports.store.pruneQuotaWindows();
    }
    // Last: a receiver that hangs must not look like a worker that does.
    await options.keepRecord();
  };
  const timer = setInterval(() => {
    lookAround().catch((error: unknown) => logger.warn({ error: String(error) }, 'sweep failed; it is tried again'));
  }, SWEEP_INTERVAL_MS);
  const stopped = worker.run().finally(async () => {
    clearInterval(timer);
    await Promise.allSettled([connection.close(), native.close()]);
  });
  return { stopped, stop: () => worker.shutdown() };
}

/**
 * A run stays with the workflow code it started on where a deployment is named: it may wait for days at a gate, and no
 * release may break it there. The version is the workflow code, not the release, so a release that leaves it alone takes
 * the runs over. See docs/operating.md.
 */
function versionOptions({ deployment, buildId }: Versioning, codePath: string) {
  // In several events of every step: the SDK's default of 64 hex digits is too long, and a deployment adds 90 bytes a step.
  const version = buildId ?? basename(codePath, '.js').slice(-8);
  if (deployment === undefined) return { buildId: version };
  return {
    workerDeploymentOptions: {
      useWorkerVersioning: true,
      version: { deploymentName: deployment, buildId: version },
      defaultVersioningBehavior: 'PINNED',
    },
  } as const;
}
