import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { TollgateError } from '../contracts/failures.ts';
import type { AgentRunId, AttemptId } from '../contracts/ids.ts';
import type { ReconcileInput, ReconcileReport } from '../contracts/reconcile.ts';
import type { TaskSnapshot } from '../contracts/task.ts';
import { RECONCILE_WORKFLOW } from '../contracts/temporal.ts';
import { isInFlight } from '../domain/budget/held.ts';
import type { HeldAttempt } from '../domain/budget/held-store-port.ts';
import { formatUsd } from '../domain/budget/price.ts';
import type { Store } from '../domain/store/port.ts';
import { isUnavailable } from './temporal-connection.ts';
import { type BoundReport, type HeldReport, type OpenMoneyReport, reportBound, reportHeld, reportOpenMoney } from './money-report.ts';

const MAX_LISTED = 1_000;
const RUN_TIMEOUT_MS = 3_600_000;
const START_TIMEOUT_MS = 5_000;

export interface HeldQuery {
  readonly agentRunId?: string;
  readonly tenant?: string;
  readonly olderThanMs?: number;
  /** Only those after this place. */
  readonly cursor?: number;
  readonly limit?: number;
}

export interface ReconcileRequest {
  /** Only this run's attempts. */
  readonly agentRunId?: string;
  /** Only those reserved longer ago than this. Default: 0. */
  readonly olderThanMs?: number;
  /** Where an earlier one stopped. */
  readonly cursor?: number;
  /** How long to wait for its end. */
  readonly waitMs?: number;
}

export type ReconcileResult =
  | {
      readonly type: 'reconciled';
      readonly looked: number;
      readonly settled: number;
      readonly settledUsd: string;
      readonly released: number;
      readonly kept: number;
      readonly inFlight: number;
      /** Where to go on, where more were left than one run looks at. */
      readonly nextCursor: number | null;
    }
  /** It goes on as a workflow of that id, or waits for a worker. */
  | { readonly type: 'running'; readonly reconciliationId: string };

export interface WriteOffReport {
  readonly attemptId: string;
  readonly agentRunId: string;
  readonly writtenOffUsd: string;
  readonly reason: string;
  /** False where it was written off before; the first reason stays. */
  readonly changed: boolean;
}

/** Money whose fate is open: what there is of it, asking the providers, and a person giving it up. */
export interface MoneyDoor {
  openMoney(filter?: { readonly tenant?: string }): Promise<OpenMoneyReport>;
  /** In the order of their reservation. */
  held(query?: HeldQuery): Promise<readonly HeldReport[]>;
  /** Bounds that overruns have raised. */
  bounds(): Promise<readonly BoundReport[]>;
  /** Takes a bound back to what it was. Answers whether it was raised. */
  resetBound(model: string, endpoint: string, reason: string): Promise<boolean>;
  /** Has a worker ask the providers, who have the keys for it. */
  reconcile(request?: ReconcileRequest): Promise<ReconcileResult>;
  /** @throws TollgateError `notFound`, or `invalidInput` where there is nothing to write off (any more, or yet). */
  writeOff(attemptId: string, reason: string): Promise<WriteOffReport>;
}

export interface MoneyDoorPorts {
  openStore(): Promise<Store>;
  connect(): Promise<Client>;
  /** The person who asks, for the audit. */
  actor(): string;
  taskQueue(): string;
}

export function createMoneyDoor(ports: MoneyDoorPorts): MoneyDoor {
  return {
    openMoney: async (filter = {}) => reportOpenMoney(await (await ports.openStore()).openMoney(filter)),
    held: (query = {}) => listHeld(ports, query),
    bounds: async () => (await (await ports.openStore()).listBoundFactors(MAX_LISTED)).map(reportBound),
    resetBound: async (model, endpoint, reason) => (await ports.openStore()).resetBoundFactor(model, endpoint, { actor: ports.actor(), reason }),
    reconcile: (request = {}) => reconcile(ports, request),
    writeOff: (attemptId, reason) => writeOff(ports, attemptId, reason),
  };
}

async function listHeld({ openStore }: MoneyDoorPorts, { agentRunId, tenant, olderThanMs, cursor, limit = MAX_LISTED }: HeldQuery) {
  const store = await openStore();
  const held = await store.listHeld({
    ...(agentRunId === undefined ? {} : { runKey: await runKeyOf(store, agentRunId) }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(olderThanMs === undefined ? {} : { reservedBeforeMs: (await store.nowMs()) - olderThanMs }),
    ...(cursor === undefined ? {} : { afterCursor: cursor }),
    limit,
  });
  return held.map(reportHeld);
}

async function runKeyOf(store: Store, agentRunId: string) {
  const run = await store.latestRun(agentRunId as AgentRunId);
  if (!run) throw new TollgateError('notFound', `The store knows no run "${agentRunId}". "tollgate runs list" shows those there are.`);
  return run.runKey;
}

async function reconcile(ports: MoneyDoorPorts, { agentRunId, olderThanMs = 0, cursor, waitMs = 60_000 }: ReconcileRequest): Promise<ReconcileResult> {
  const input: ReconcileInput = {
    version: 1,
    ...(agentRunId === undefined ? {} : { runKey: await runKeyOf(await ports.openStore(), agentRunId) }),
    olderThanMs,
    all: true,
    ...(cursor === undefined ? {} : { afterCursor: cursor }),
  };
  const client = await ports.connect();
  const reconciliationId = `tollgate-reconcile-${randomUUID()}`;
  const start = () =>
    client.workflow.start<(given: ReconcileInput) => Promise<ReconcileReport>>(RECONCILE_WORKFLOW, {
      workflowId: reconciliationId,
      taskQueue: ports.taskQueue(),
      args: [input],
      workflowRunTimeout: RUN_TIMEOUT_MS,
      staticSummary: `held money, asked for by ${ports.actor()}`,
    });
  const patience = new AbortController();
  try {
    const handle = await client.withDeadline(Date.now() + START_TIMEOUT_MS, start);
    const report = await Promise.race([handle.result(), sleep(waitMs, null, { signal: patience.signal })]);
    return report === null ? { type: 'running', reconciliationId } : toResult(report);
  } catch (error) {
    throw inOurWords(reconciliationId, error);
  } finally {
    patience.abort();
  }
}

function inOurWords(reconciliationId: string, error: unknown): unknown {
  if (error instanceof WorkflowFailedError) {
    const why = rootMessage(error);
    const message = `The reconciliation ${reconciliationId} failed: ${why} What it had settled is settled; run it again.`;
    return new TollgateError('closedByTemporal', message, { cause: error });
  }
  if (!isUnavailable(error)) return error;
  return new TollgateError(
    'temporalUnavailable',
    `Temporal does not answer (${rootMessage(error)}), and the workers that ask the providers are reached through it.`,
    { cause: error },
  );
}

function rootMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? rootMessage(error.cause) : error.message;
}

function toResult({ looked, settled, settledNanoUsd, released, kept, inFlight, nextCursor }: ReconcileReport): ReconcileResult {
  return { type: 'reconciled', looked, settled, settledUsd: formatUsd(settledNanoUsd), released, kept, inFlight, nextCursor };
}

async function writeOff({ openStore, actor }: MoneyDoorPorts, attemptId: string, reason: string): Promise<WriteOffReport> {
  if (reason.trim() === '') throw new TollgateError('invalidInput', 'A write-off needs a reason, which the audit keeps. Give one.');
  const store = await openStore();
  const held = await store.findAttempt(attemptId as AttemptId);
  if (!held) throw noSuchAttempt(attemptId);
  const { attempt } = held;
  if (attempt.money.status === 'held' && (await isAtWork(store, held)))
    throw new TollgateError(
      'invalidInput',
      `A sender may still be at work on the attempt ${attemptId}. Wait until its call has timed out, then run "tollgate reconcile" first.`,
    );
  const moved = await store.moveMoney(attempt.runKey, attempt.attemptId, { type: 'writeOff' }, { actor: actor(), reason });
  if (moved.money.status !== 'writtenOff')
    throw new TollgateError('invalidInput', `The money of the attempt ${attemptId} is ${moved.money.status}, so there is nothing to write off.`);
  return {
    attemptId,
    agentRunId: attempt.runKey.agentRunId,
    writtenOffUsd: formatUsd(attempt.reservedNanoUsd),
    reason: moved.writeOffReason ?? reason,
    changed: attempt.money.status === 'held',
  };
}

async function isAtWork(store: Store, held: HeldAttempt): Promise<boolean> {
  const text = await store.getContent(held.snapshotDigest);
  const snapshot = text === null ? null : (JSON.parse(text) as TaskSnapshot);
  return snapshot !== null && isInFlight(held, snapshot.task.limits.modelTimeoutMs, await store.nowMs());
}

/** The error for an attempt that is not there, or not for this caller to know of. */
export function noSuchAttempt(attemptId: string): TollgateError {
  return new TollgateError('notFound', `There is no attempt "${attemptId}". "tollgate reconcile --list" shows those whose money is held.`);
}
