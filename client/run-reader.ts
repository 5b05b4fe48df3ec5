import { setTimeout as sleep } from 'node:timers/promises';
import { TollgateError } from '../contracts/failures.ts';
import type { AgentRunId, ApprovalId, RunKey } from '../contracts/ids.ts';
import type { RunFilter, RunRecord, Store } from '../domain/store/port.ts';
import type { AgentClient, RunDescription } from './agent-client.ts';
import { type GateReport, reportGate } from './gate-report.ts';
import { type RunReport, type RunSummary, reportLedger, reportRun, summarizeRun } from './run-report.ts';
import type { RunOutcome } from './run-result.ts';
import { withStops } from './stopped-gates.ts';

/** How soon a run is looked at again, in milliseconds: while it moves, and at most while it does not. */
const REFRESH_MS = 250;
const MAX_REFRESH_MS = 1_000;
/** How often a run that goes on is looked up in Temporal too, in milliseconds. */
const TEMPORAL_CHECK_MS = 3_000;
const MAX_LISTED = 1_000;

const CLOSED_STATUS: Readonly<Record<string, string>> = { CANCELLED: 'cancelled', TERMINATED: 'cancelled', TIMED_OUT: 'failed', FAILED: 'failed' };

/** Which run: the newest of that id, or the one that its start named. */
export interface RunReference {
  readonly agentRunId: string;
  readonly firstExecutionRunId?: string;
}

export interface PendingFilter {
  readonly tenant?: string;
  /** At most this many; a list has no more than 1000. */
  readonly limit?: number;
  /** Id of the last gate of the page before. */
  readonly after?: string;
}

/** What can be read of runs. Nothing here changes anything. */
export interface RunReader {
  /** @throws TollgateError `notFound`. */
  show(agentRunId: string): Promise<RunReport>;
  /**
   * A report at each change of a run, the last one at its end. Ends without it where `signal` is aborted. A server or a
   * worker that is gone for a while only makes it wait.
   */
  follow(run: RunReference, options?: { readonly signal?: AbortSignal }): AsyncIterable<RunReport>;
  /** Newest first. */
  list(filter?: Partial<RunFilter>): Promise<readonly RunSummary[]>;
  /** Gates that wait for a person, oldest first. */
  pendingApprovals(filter?: PendingFilter): Promise<readonly GateReport[]>;
  /** One gate, whatever became of it. @throws TollgateError `notFound`. */
  approval(approvalId: string): Promise<GateReport>;
}

export interface RunReaderPorts {
  openStore(): Promise<Store>;
  /** The client to ask whether Temporal closed a run; null where it does not answer in short time. */
  glance(): Promise<AgentClient | null>;
  /** What the store is called in an error, such as `the store at .tollgate`. */
  readonly storeName: () => string;
}

/** Reads the store, and asks Temporal only about runs that go on. */
export function createRunReader(ports: RunReaderPorts): RunReader {
  return {
    show: (agentRunId) => show(ports, agentRunId),
    follow: (run, { signal } = {}) => follow(ports, run, signal),
    async list(filter = {}) {
      const store = await ports.openStore();
      const runs = await store.listRuns({ limit: MAX_LISTED, ...filter });
      return await Promise.all(runs.map((run) => summarizeRun(store, run)));
    },
    async pendingApprovals({ tenant, limit = MAX_LISTED, after } = {}) {
      const store = await ports.openStore();
      const within = { ...(tenant === undefined ? {} : { tenant }), ...(after === undefined ? {} : { after: after as ApprovalId }) };
      const gates = await store.listGates({ status: 'open', limit, ...within });
      return await withStops(
        store,
        gates.map((gate) => ({ gate, report: reportGate(gate) })),
      );
    },
    async approval(approvalId) {
      const store = await ports.openStore();
      const gate = await store.findGate(approvalId as ApprovalId);
      const [shown] = gate ? await withStops(store, [{ gate, report: reportGate(gate) }]) : [];
      if (shown) return shown;
      throw noSuchGate(approvalId);
    },
  };
}

/** The error for a gate that is not there, or not for this caller to know of. */
export function noSuchGate(approvalId: string): TollgateError {
  return new TollgateError('notFound', `There is no gate ${approvalId}. "npx tollgate approvals list" shows those that wait.`);
}

async function show(ports: RunReaderPorts, agentRunId: string): Promise<RunReport> {
  const store = await ports.openStore();
  const run = await store.latestRun(agentRunId as AgentRunId);
  if (run?.end) return await reportRun(store, run);
  const agent = await ports.glance();
  if (run) return await overlay(await reportRun(store, run), run, agent);
  if (!agent)
    throw new TollgateError(
      'notFound',
      `There is no run "${agentRunId}" in ${ports.storeName()}, and Temporal does not answer. "tollgate runs list" shows the runs there are.`,
    );
  return await reportUnpinned(agent, agentRunId);
}

async function overlay(report: RunReport, run: RunRecord, agent: AgentClient | null): Promise<RunReport> {
  const description = await agent?.describe(run.runKey.agentRunId, { view: false }).catch(() => null);
  if (!description) return report;
  const same = description.runKey.firstExecutionRunId === run.runKey.firstExecutionRunId;
  return same ? withTemporalStatus(report, description) : report;
}

/** Says so where Temporal closed a run of which the store knows no end. */
export function withTemporalStatus(report: RunReport, { temporalStatus }: Pick<RunDescription, 'temporalStatus'>): RunReport {
  const status = CLOSED_STATUS[temporalStatus];
  if (!status || report.message !== null) return { ...report, temporalStatus };
  const message = `Temporal closed the run (${temporalStatus}) before it could write its own end.`;
  return { ...report, status, temporalStatus, message, failureType: status === 'failed' ? 'closedByTemporal' : null };
}

/** A run that Temporal has and the store has not: no worker picked it up yet, or it ended before it was pinned. */
async function reportUnpinned(agent: AgentClient, agentRunId: string): Promise<RunReport> {
  const description = await agent.describe(agentRunId);
  const outcome = description.closedAt ? await agent.result(agentRunId) : null;
  return unpinnedReport(description, outcome);
}

function unpinnedReport({ runKey, temporalStatus, startedAt, closedAt, view, tenant }: RunDescription, outcome: RunOutcome | null): RunReport {
  return {
    ...runKey,
    task: view?.task ?? '-',
    tenant: tenant ?? '-',
    feature: '-',
    requester: '-',
    status: outcome?.status ?? 'running',
    startedAt: startedAt.toISOString(),
    endedAt: closedAt?.toISOString() ?? null,
    ledger: reportLedger(outcome?.ledger ?? null),
    output: outcome?.output ?? null,
    message: outcome?.message ?? null,
    failureType: outcome?.failureType ?? null,
    models: [],
    simulated: false,
    steps: [],
    attempts: [],
    gates: [],
    temporalStatus,
  };
}

async function* follow(ports: RunReaderPorts, run: RunReference, signal: AbortSignal | undefined): AsyncIterable<RunReport> {
  const store = await ports.openStore();
  const runKey = await runKeyOf(ports, run);
  let nextCheckMs = Date.now() + TEMPORAL_CHECK_MS;
  let waitMs = REFRESH_MS;
  let shown = '';
  while (!signal?.aborted) {
    const report = await look(store, runKey);
    const text = JSON.stringify(report);
    waitMs = text === shown ? Math.min(MAX_REFRESH_MS, waitMs * 1.3) : REFRESH_MS;
    if (report && text !== shown) yield report;
    shown = text;
    if (report?.endedAt) return;
    if (Date.now() >= nextCheckMs) {
      const closed = await closedInTemporal(ports, runKey, report);
      if (closed) return void (yield closed);
      nextCheckMs = Date.now() + TEMPORAL_CHECK_MS;
    }
    await sleep(waitMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  }
}

async function runKeyOf(ports: RunReaderPorts, { agentRunId, firstExecutionRunId }: RunReference): Promise<RunKey> {
  return { agentRunId: agentRunId as AgentRunId, firstExecutionRunId: firstExecutionRunId ?? (await show(ports, agentRunId)).firstExecutionRunId };
}

async function look(store: Store, runKey: RunKey): Promise<RunReport | null> {
  const run = await store.getRun(runKey);
  return run ? await reportRun(store, run) : null;
}

async function closedInTemporal(ports: RunReaderPorts, runKey: RunKey, report: RunReport | null): Promise<RunReport | null> {
  try {
    const agent = await ports.glance();
    const description = await agent?.describe(runKey.agentRunId, { view: false });
    if (!agent || !description?.closedAt || description.runKey.firstExecutionRunId !== runKey.firstExecutionRunId) return null;
    const last = (await look(await ports.openStore(), runKey)) ?? report;
    return last ? withTemporalStatus(last, description) : unpinnedReport(description, await agent.result(runKey.agentRunId));
  } catch {
    return null;
  }
}
