import type { CompensationReport } from '../contracts/agent-run.ts';
import type { LedgerTotals } from '../contracts/budget.ts';
import type { TaskSnapshot } from '../contracts/task.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import { formatUsd } from '../domain/budget/price.ts';
import type { AttemptRecord, RunRecord, Store, ToolCallRecord } from '../domain/store/port.ts';
import { type FeedbackReport, reportFeedback } from './feedback.ts';
import { reportRepair, type RepairReport } from './repair.ts';
import { type GateReport, reportGate, type StoppedReport } from './gate-report.ts';
import { stopsOfRun, withStops } from './stopped-gates.ts';
import { readOutput } from './run-result.ts';
import { reportSteps, type StepReport } from './step-report.ts';

const MAX_GATES = 1_000;
/** Children shown, newest first. */
const MAX_CHILDREN = 100;

/** Money of a run, in USD as decimal strings. */
export interface LedgerReport {
  readonly limitUsd: string;
  readonly settledUsd: string;
  readonly heldUsd: string;
  readonly writtenOffUsd: string;
  readonly overrunUsd: string;
}

export interface AttemptReport {
  readonly attemptId: string;
  readonly step: number;
  readonly model: string;
  readonly provider: string;
  /** `answer`: a question at a gate was answered, beside the run's steps. */
  readonly mode?: 'answer';
  /** `ok`, a class of the error taxonomy, or `inFlight` while nobody knows. */
  readonly outcome: string;
  readonly message?: string;
  /** What the provider charged, as settled; null while that is not known. */
  readonly costUsd: string | null;
  readonly heldUsd: string;
  /** The price that the run pinned for this model: where it comes from, and since when it holds as far as the source says. */
  readonly price?: { readonly source: string; readonly effectiveAt: string | null };
  /** The service tier that the reply reported, by which it was charged. */
  readonly serviceTier?: string;
  /** The provider's or gateway's own id of the request, to ask them by. */
  readonly providerRequestId?: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
}

export interface RunSummary {
  readonly agentRunId: string;
  readonly firstExecutionRunId: string;
  readonly task: string;
  readonly tenant: string;
  readonly feature: string;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly ledger: LedgerReport;
}

/** A candidate that was passed over: nothing was reserved or sent. */
export interface SkipReport {
  readonly step: number;
  readonly model: string;
  /** `breakerOpen`, `contextTooSmall`, `budgetDenied` or `quotaDenied`. */
  readonly reason: string;
  readonly message: string;
  readonly at: string;
}

export interface TokenReport {
  readonly limit: number;
  readonly used: number;
  readonly held: number;
}

/** A run that draws on another one's budget, with its share of it. */
export type ChildReport = Pick<RunSummary, 'agentRunId' | 'task' | 'status' | 'ledger'>;

/** Everything the store knows of a run: what `runs show --json` prints. Fields may be added, these stay. */
export interface RunReport extends RunSummary {
  readonly requester: string;
  /** The last answer; null where there is none yet. */
  readonly output: string | null;
  /** How the run ended, for a person; null while it goes on. */
  readonly message: string | null;
  readonly failureType: string | null;
  /** What was undone of a run whose task asks for it, and what was not. */
  readonly compensation?: CompensationReport;
  /** The fallback chain, as pinned. */
  readonly models: readonly string[];
  /** True where a simulated provider plays the models. */
  readonly simulated: boolean;
  readonly steps: readonly StepReport[];
  readonly attempts: readonly AttemptReport[];
  /** Candidates that were not asked, and why, in order; at most 500. Set where there are any. */
  readonly skipped?: readonly SkipReport[];
  /** Tokens against the run's limit in tokens, where it has one. */
  readonly tokens?: TokenReport;
  readonly gates: readonly GateReport[];
  /** Switches that hold its model calls back. Set where there are any; those that hold an action back are at its gate. */
  readonly stopped?: readonly StoppedReport[];
  /** The run whose budget this one draws on, where there is one. */
  readonly parent?: string;
  /** Its children with their share of its budget, oldest first; at most 100. Set where there are any. */
  readonly children?: readonly ChildReport[];
  /** What people thought of it, oldest first. Set where there is any. */
  readonly feedback?: readonly FeedbackReport[];
  /** What operators did to it, oldest first. Set where there is any. */
  readonly repairs?: readonly RepairReport[];
  /** Temporal's own status, where it was asked. */
  readonly temporalStatus?: string;
}

/** Reads a run from the store. Needs neither Temporal nor a worker. */
export async function reportRun(store: Store, run: RunRecord): Promise<RunReport> {
  const { runKey } = run;
  const [summary, output, attempts, calls, gates, snapshot, children, skips, tokens, feedback, repairs] = await Promise.all([
    summarizeRun(store, run),
    readOutput(store, run),
    store.listAttempts(runKey),
    store.listToolCalls(runKey),
    store.listGates({ runKey, limit: MAX_GATES }),
    readSnapshot(store, run),
    readChildren(store, run),
    store.listSkips(runKey),
    store.getTokenLedger(runKey),
    store.listFeedback(runKey),
    store.listRepairs(runKey),
  ]);
  const family = { ...(run.parentRunKeys[0] ? { parent: run.parentRunKeys[0].agentRunId } : {}), ...(children.length > 0 ? { children } : {}) };
  const more = {
    ...(skips.length > 0
      ? { skipped: skips.map(({ step, model, reason, message, atMs }) => ({ step, model, reason, message, at: new Date(atMs).toISOString() })) }
      : {}),
    ...(feedback.length > 0 ? { feedback: feedback.map(reportFeedback) } : {}),
    ...(repairs.length > 0 ? { repairs: repairs.map(reportRepair) } : {}),
    ...(tokens ? { tokens: { limit: tokens.limitNanoUsd, used: tokens.settledNanoUsd + tokens.writtenOffNanoUsd, held: tokens.heldNanoUsd } } : {}),
  };
  const report = assemble(run, summary, output, { attempts, calls, gates, snapshot });
  return { ...report, ...(await stopsOf(store, run, gates)), ...more, ...family };
}

/** What is held back of a run that goes on, by whom and why. */
async function stopsOf(store: Store, run: RunRecord, gates: readonly GateRecord[]): Promise<Partial<Pick<RunReport, 'gates' | 'stopped'>>> {
  if (run.end) return {};
  const inOrder = [...gates].sort((a, b) => a.createdAtMs - b.createdAtMs);
  const [shown, stopped] = await Promise.all([
    withStops(
      store,
      inOrder.map((gate) => ({ gate, report: reportGate(gate) })),
    ),
    stopsOfRun(store, run),
  ]);
  return { gates: shown, ...(stopped.length > 0 ? { stopped } : {}) };
}

interface Journal {
  readonly attempts: readonly AttemptRecord[];
  readonly calls: readonly ToolCallRecord[];
  readonly gates: readonly GateRecord[];
  readonly snapshot: TaskSnapshot | null;
}

function assemble(run: RunRecord, summary: RunSummary, output: string | null, journal: Journal): RunReport {
  return {
    ...summary,
    requester: run.requester,
    output,
    message: run.end?.message ?? null,
    failureType: run.end?.failureType ?? null,
    ...(run.end?.compensation ? { compensation: run.end.compensation } : {}),
    models: journal.snapshot?.candidates.map((candidate) => candidate.model) ?? [],
    simulated: journal.snapshot?.candidates.some((candidate) => candidate.provider === 'simulated') ?? false,
    steps: reportSteps(journal),
    attempts: journal.attempts.map((attempt) => reportAttempt(attempt, journal.snapshot)),
    gates: [...journal.gates].sort((a, b) => a.createdAtMs - b.createdAtMs).map((gate) => reportGate(gate)),
  };
}

/** The line of a run in a list. */
export async function summarizeRun(store: Store, run: RunRecord): Promise<RunSummary> {
  const ledger = await store.getLedger(run.runKey);
  return {
    agentRunId: run.runKey.agentRunId,
    firstExecutionRunId: run.runKey.firstExecutionRunId,
    task: run.task,
    tenant: run.tenant,
    feature: run.feature,
    status: run.status,
    startedAt: new Date(run.startedAtMs).toISOString(),
    endedAt: run.endedAtMs === null ? null : new Date(run.endedAtMs).toISOString(),
    ledger: reportLedger(ledger),
  };
}

/** A ledger in USD; zeros where there is none yet. */
export function reportLedger(ledger: LedgerTotals | null): LedgerReport {
  return {
    limitUsd: formatUsd(ledger?.limitNanoUsd ?? 0),
    settledUsd: formatUsd(ledger?.settledNanoUsd ?? 0),
    heldUsd: formatUsd(ledger?.heldNanoUsd ?? 0),
    writtenOffUsd: formatUsd(ledger?.writtenOffNanoUsd ?? 0),
    overrunUsd: formatUsd(ledger?.overrunNanoUsd ?? 0),
  };
}

/** One try of a model with what came of it and what it cost. */
export function reportAttempt(attempt: AttemptRecord, snapshot: TaskSnapshot | null): AttemptReport {
  const { money, outcome } = attempt;
  const price = snapshot?.candidates.find(({ model, endpoint }) => model === attempt.model && endpoint === attempt.endpoint)?.price;
  const settled = money.status === 'released' ? 0 : money.settledNanoUsd;
  return {
    attemptId: attempt.attemptId,
    step: attempt.step,
    model: attempt.model,
    provider: attempt.provider,
    ...(attempt.mode === 'answer' ? { mode: attempt.mode } : {}),
    outcome: outcome === null ? 'inFlight' : outcome.type === 'reply' ? 'ok' : outcome.verdict.class,
    ...(outcome?.type === 'failed' ? { message: outcome.message } : {}),
    costUsd: settled === null ? null : formatUsd(settled),
    heldUsd: formatUsd(money.status === 'held' ? money.reservedNanoUsd : 0),
    ...(price ? { price: { source: price.source, effectiveAt: price.effectiveAt ?? null } } : {}),
    ...(attempt.reply?.serviceTier ? { serviceTier: attempt.reply.serviceTier } : {}),
    ...(attempt.providerRequestId ? { providerRequestId: attempt.providerRequestId } : {}),
    startedAt: new Date(attempt.reservedAtMs).toISOString(),
    endedAt: attempt.endedAtMs === null ? null : new Date(attempt.endedAtMs).toISOString(),
  };
}

async function readChildren(store: Store, { runKey }: RunRecord): Promise<readonly ChildReport[]> {
  const children = await store.listRuns({ parent: runKey, limit: MAX_CHILDREN });
  const reports = children.map(async (child) => {
    const { agentRunId, task, status, ledger } = await summarizeRun(store, child);
    return { agentRunId, task, status, ledger };
  });
  return (await Promise.all(reports)).reverse();
}

async function readSnapshot(store: Store, run: RunRecord): Promise<TaskSnapshot | null> {
  const text = await store.getContent(run.snapshotDigest);
  return text === null ? null : (JSON.parse(text) as TaskSnapshot);
}
