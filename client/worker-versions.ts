import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError, ServiceError } from '@temporalio/client';
import { TollgateError } from '../contracts/failures.ts';
import { isUnavailable, type TemporalConnection, unavailable } from './temporal-connection.ts';

// temporal.api.enums.v1.WorkerDeploymentVersionStatus
const STATUSES = ['unspecified', 'inactive', 'current', 'ramping', 'draining', 'drained', 'created'] as const;
const GRPC_NOT_FOUND = 5;
const GRPC_FAILED_PRECONDITION = 9;
/** A worker that has just started is known to the server some seconds later. */
const APPEAR_TIMEOUT_MS = 10_000;
const LOOK_MS = 500;

/** A version of the workers: runs pinned to it stay with it. */
export interface WorkerVersion {
  readonly buildId: string;
  /**
   * `current`: new runs go here. `ramping`: a share of them does. `draining`: runs are still pinned to it. `drained`: none
   * is, and its workers may be stopped. `inactive`: it was never current.
   */
  readonly status: (typeof STATUSES)[number];
  /** The share of new runs, where it is ramping. */
  readonly percentage: number | null;
  /** Runs pinned to it that are going on; lags by seconds. */
  readonly runningRuns: number;
}

/** The versions of a deployment, newest first. @throws TollgateError `notFound` where no worker of it ever polled. */
export async function listWorkerVersions(temporal: TemporalConnection, deploymentName: string): Promise<readonly WorkerVersion[]> {
  const { connection, at } = temporal;
  const { workerDeploymentInfo: info } = await reaching(temporal, deploymentName, () =>
    connection.workflowService.describeWorkerDeployment({ namespace: at.namespace, deploymentName }),
  );
  const summaries = (info?.versionSummaries ?? []).map((summary) => ({ buildId: summary.deploymentVersion?.buildId ?? '', summary }));
  const createdAt = (summary: (typeof summaries)[number]) => Number(summary.summary.createTime?.seconds ?? 0);
  return await Promise.all(
    summaries
      .toSorted((one, other) => createdAt(other) - createdAt(one))
      .map(async ({ buildId, summary }) => {
        const status = STATUSES[summary.status ?? 0] ?? 'unspecified';
        return {
          buildId,
          status,
          percentage: status === 'ramping' ? (info?.routingConfig?.rampingVersionPercentage ?? null) : null,
          runningRuns: await countRunning(temporal, `${deploymentName}:${buildId}`),
        };
      }),
  );
}

async function countRunning({ client }: TemporalConnection, version: string): Promise<number> {
  const { count } = await client.workflow.count(`TemporalWorkerDeploymentVersion = '${version}' AND ExecutionStatus = 'Running'`);
  return count;
}

/**
 * Sends new runs to a version: all of them, or a share. Runs that are pinned elsewhere stay there. Waits some seconds for
 * workers of that version to appear.
 * @throws TollgateError `notFound` where none polls.
 */
export async function promoteWorkerVersion(temporal: TemporalConnection, deploymentName: string, buildId: string, percentage?: number): Promise<void> {
  const { connection, at } = temporal;
  const request = { namespace: at.namespace, deploymentName, buildId, identity: 'tollgate' };
  const deadlineMs = Date.now() + APPEAR_TIMEOUT_MS;
  const promote = async () => {
    if (percentage === undefined) await connection.workflowService.setWorkerDeploymentCurrentVersion(request);
    else await connection.workflowService.setWorkerDeploymentRampingVersion({ ...request, percentage });
  };
  for (;;) {
    try {
      return await promote();
    } catch (error) {
      if (Date.now() > deadlineMs || !isNotThereYet(error)) return await reaching(temporal, `${deploymentName}:${buildId}`, () => Promise.reject(error));
      await sleep(LOOK_MS);
    }
  }
}

function isNotThereYet(error: unknown): boolean {
  const grpc = error instanceof ServiceError ? error.cause : error;
  return isGrpcServiceError(grpc) && (grpc.code === GRPC_NOT_FOUND || grpc.code === GRPC_FAILED_PRECONDITION);
}

async function reaching<T>({ at }: TemporalConnection, what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (isUnavailable(error)) throw unavailable(at.address, error);
    if (!isNotThereYet(error)) throw error;
    const detail = error instanceof Error ? error.message.replace(/^\d+ [A-Z_]+: /, '').split('\n')[0] : '';
    throw new TollgateError(
      'notFound',
      `Temporal knows no workers of ${what} in the namespace ${at.namespace} that could take runs (${detail}). Start them with TOLLGATE_DEPLOYMENT set.`,
      {
        cause: error,
      },
    );
  }
}
