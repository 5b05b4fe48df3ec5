import { setTimeout as sleep } from 'node:timers/promises';
import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import type { RunRecord, Store } from '../../domain/store/port.ts';
import { createAgentClient, type AgentClient, type RunDescription } from '../agent-client.ts';
import { type RunReport, reportLedger, reportRun } from '../run-report.ts';
import type { RunOutcome } from '../run-result.ts';
import type { CliServices } from './services.ts';

/** How long `runs show` waits for Temporal, in milliseconds: the store has nearly all there is to tell. */
const GLANCE_TIMEOUT_MS = 1_500;
const REFRESH_MS = 300;
/** How often a run that goes on is looked up in Temporal too, in milliseconds. */
const TEMPORAL_CHECK_MS = 3_000;

const CLOSED_STATUS: Readonly<Record<string, string>> = { CANCELLED: 'cancelled', TERMINATED: 'cancelled', TIMED_OUT: 'failed', FAILED: 'failed' };

/** The client for a command: signs with the local key where `signs`, and has the store. */
export async function openAgentClient(services: CliServices, options: { readonly signs: boolean; readonly timeoutMs?: number }): Promise<AgentClient> {
  const { client } = await services.connect(options.timeoutMs);
  const store = await services.openStore();
  return createAgentClient({
    client,
    store,
    identity: services.identity(),
    switchedOffSearchAttributes: services.switchedOffSearchAttributes(),
    ...(options.signs ? { signer: await services.signer() } : {}),
  });
}

/**
 * Reads a run from the store, and asks Temporal only about one that goes on: whether it was closed there.
 * @throws TollgateError of type `notFound` where neither knows it.
 */
export async function readRun(services: CliServices, agentRunId: string): Promise<RunReport> {
  const store = await services.openStore();
  const run = await store.latestRun(agentRunId as AgentRunId);
  if (run?.end) return await reportRun(store, run);
  const agent = await openAgentClient(services, { signs: false, timeoutMs: GLANCE_TIMEOUT_MS }).catch(() => null);
  if (run) return await overlay(await reportRun(store, run), run, agent);
  if (!agent)
    throw new TollgateError(
      'notFound',
      `There is no run "${agentRunId}" in the store at ${services.home()}, and Temporal does not answer. "tollgate runs list" shows the runs there are.`,
    );
  return await reportUnpinned(agent, agentRunId);
}

async function overlay(report: RunReport, run: RunRecord, agent: AgentClient | null): Promise<RunReport> {
  const description = await agent?.describe(run.runKey.agentRunId).catch(() => null);
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

function unpinnedReport({ runKey, temporalStatus, startedAt, closedAt, view }: RunDescription, outcome: RunOutcome | null): RunReport {
  return {
    ...runKey,
    task: view?.task ?? '-',
    tenant: '-',
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

/**
 * Looks at a run again and again until it ends, and answers its last report. Reads the store; asks Temporal now and then
 * whether it closed the run. A server or a worker that is gone for a while only makes it wait.
 */
export async function followRun(services: CliServices, runKey: RunKey, onLook: (report: RunReport) => void): Promise<RunReport> {
  const store = await services.openStore();
  let nextCheckMs = Date.now() + TEMPORAL_CHECK_MS;
  for (;;) {
    const report = await look(store, runKey);
    if (report) onLook(report);
    if (report?.endedAt) return report;
    if (Date.now() >= nextCheckMs) {
      const closed = await closedInTemporal(services, runKey, report);
      if (closed) return closed;
      nextCheckMs = Date.now() + TEMPORAL_CHECK_MS;
    }
    await sleep(REFRESH_MS);
  }
}

async function look(store: Store, runKey: RunKey): Promise<RunReport | null> {
  const run = await store.getRun(runKey);
  return run ? await reportRun(store, run) : null;
}

async function closedInTemporal(services: CliServices, runKey: RunKey, report: RunReport | null): Promise<RunReport | null> {
  try {
    const agent = await openAgentClient(services, { signs: false, timeoutMs: GLANCE_TIMEOUT_MS });
    const description = await agent.describe(runKey.agentRunId);
    if (!description.closedAt || description.runKey.firstExecutionRunId !== runKey.firstExecutionRunId) return null;
    const store = await services.openStore();
    const last = (await look(store, runKey)) ?? report;
    return last ? withTemporalStatus(last, description) : unpinnedReport(description, await agent.result(runKey.agentRunId));
  } catch {
    return null;
  }
}
