import { TollgateError } from '../contracts/failures.ts';
import type { LedgerTotals, NanoUsd } from '../contracts/budget.ts';
import type { AgentRunId } from '../contracts/ids.ts';
import type { RunFilter } from '../domain/store/port.ts';
import { parseUsd } from '../domain/budget/price.ts';
import type { AgentClient, DecideOptions, RunDescription, StartedRun } from './agent-client.ts';
import type { DecisionResult } from './decision.ts';
import { cursorOf } from './http/cursor.ts';
import { readEvents } from './event-stream.ts';
import { z } from 'zod';
import {
  cancellationSchema,
  decidedSchema,
  descriptionSchema,
  gateSchema,
  MAX_LISTED,
  messageSentSchema,
  pendingResultSchema,
  runReportSchema,
  runSummarySchema,
  signedSignalSchema,
  startedSchema,
  undecidedSchema,
} from './http/schemas.ts';
import { feedbackGivenSchema, usageSchema } from './http/report-schemas.ts';
import { repairedSchema, repairUndecidedSchema, signedRepairSchema } from './http/repair-schemas.ts';
import { createHttpAttentionDoor } from './http-attention-door.ts';
import { createHttpMoneyDoor } from './http-money-door.ts';
import { createHttpStandingDoor } from './http-standing-door.ts';
import { type HttpAgentClientOptions, HttpProblem, HttpTransport, Patience, toTollgateError } from './http-transport.ts';
import type { GateReport } from './gate-report.ts';
import { knownTask, type StartableTask } from './known-task.ts';
import type { RunReference } from './run-reader.ts';
import type { RepairAsked, RepairOptions, RepairResult, SignedRepair } from './repair.ts';
import type { RunOutcome } from './run-result.ts';
import type { LedgerReport, RunReport, RunSummary } from './run-report.ts';
import type { RunsDoor } from './runs-door.ts';
import type { SignedSignal } from './signed-decision.ts';
import { type StartOptions, toStartRequest } from './start-request.ts';
import { typedResult } from './task-output.ts';
import type { UsageView } from './usage-report.ts';

/** How long one request waits for a result, in milliseconds. */
const RESULT_WAIT_MS = 20_000;
const RESULT_TIMEOUT_MS = RESULT_WAIT_MS + 10_000;
/** A stream is silent for 15 seconds at most; after this long it is taken for broken. */
const STREAM_SILENCE_MS = 40_000;

/** Starts, reads and steers runs through a running API. Needs neither Temporal nor the store. */
export function createHttpAgentClient(options: HttpAgentClientOptions): AgentClient & RunsDoor {
  const http = new HttpTransport(options);
  const decide = (approvalId: string, body: object) => sendDecision(http, approvalId, body);
  return {
    start: (task: StartableTask, input: unknown, startOptions: StartOptions = {}) => translated(() => start(http, task, input, startOptions)),
    show: (agentRunId) => translated(async () => asReport(await http.json(runReportSchema, { path: runPath(agentRunId) }))),
    follow: (run, { signal } = {}) => follow(http, run, signal),
    result: typedResult((agentRunId) => awaitResult(http, agentRunId)),
    describe: (agentRunId, { view = true } = {}) =>
      translated(async () => toDescription(await http.json(descriptionSchema, { path: `${runPath(agentRunId)}/description`, query: { view: String(view) } }))),
    list: (filter = {}) =>
      translated(async () => (await http.json(z.array(runSummarySchema), { path: '/v1/runs', query: listQueryOf(filter) })) as RunSummary[]),
    pendingApprovals: ({ limit = MAX_LISTED, after }: { readonly limit?: number; readonly after?: string } = {}) =>
      translated(async () => (await http.json(z.array(gateSchema), { path: '/v1/approvals', query: { limit, cursor: after } })) as GateReport[]),
    approval: (approvalId) => translated(async () => (await http.json(gateSchema, { path: approvalPath(approvalId) })) as GateReport),
    approve: (approvalId, given) => decide(approvalId, { verdict: 'approve', actionDigest: given.actionDigest, ...comment(given) }),
    deny: (approvalId, { reason, ...given }) => decide(approvalId, { verdict: 'deny', reason, ...digest(given) }),
    edit: (approvalId, given) => decide(approvalId, { verdict: 'edit', actionDigest: given.actionDigest, arguments: given.arguments, ...comment(given) }),
    withdraw: (approvalId, given = {}) => decide(approvalId, { verdict: 'withdraw', ...digest(given), ...comment(given) }),
    signDecision: (approvalId, { verdict, actionDigest, comment: said }) =>
      translated(
        async () =>
          (await http.json(signedSignalSchema, {
            method: 'POST',
            path: `${approvalPath(approvalId)}/signed-decisions`,
            body: { verdict, actionDigest, ...(said === undefined ? {} : { comment: said }) },
          })) as SignedSignal,
      ),
    repair: (agentRunId, repair, given) => sendRepair(http, agentRunId, repair, given),
    signRepair: (agentRunId, repair, given) =>
      translated(
        async () =>
          (await http.json(signedRepairSchema, {
            method: 'POST',
            path: `${runPath(agentRunId)}/signed-repairs`,
            body: repairBodyOf(repair, given),
          })) as SignedRepair,
      ),
    addUserMessage: (agentRunId, text, messageOptions = {}) =>
      translated(() => http.json(messageSentSchema, { method: 'POST', path: `${runPath(agentRunId)}/messages`, body: { text, ...messageOptions } })),
    feedback: (agentRunId, feedback) =>
      translated(() => http.json(feedbackGivenSchema, { method: 'POST', path: `${runPath(agentRunId)}/feedback`, body: feedback })),
    usage: (query = {}) => translated(async () => (await http.json(usageSchema, { path: '/v1/report', query: { ...query } })) as unknown as UsageView),
    ...createHttpMoneyDoor(http),
    ...createHttpStandingDoor(http),
    ...createHttpAttentionDoor(http, approvalPath),
    cancel: (agentRunId) =>
      translated(async () => ({ type: (await http.json(cancellationSchema, { method: 'POST', path: `${runPath(agentRunId)}/cancel` })).cancellation })),
  };
}

async function start(http: HttpTransport, task: StartableTask, input: unknown, options: StartOptions): Promise<StartedRun> {
  // What is known of the task here is checked here; the API checks again, with what it knows.
  if (typeof task !== 'string') toStartRequest(knownTask(task), input, 'client', options);
  const named = typeof task === 'object' && !('definition' in task) ? task.name : task;
  const started = await http.json(startedSchema, { method: 'POST', path: '/v1/runs', body: { task: named, input, ...options } });
  return { agentRunId: started.agentRunId as AgentRunId, firstExecutionRunId: started.firstExecutionRunId };
}

async function* follow(http: HttpTransport, { agentRunId, firstExecutionRunId }: RunReference, signal: AbortSignal | undefined): AsyncIterable<RunReport> {
  const patience = new Patience();
  let shown = '';
  while (!signal?.aborted) {
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(), STREAM_SILENCE_MS);
    try {
      const response = await http.open({
        path: `${runPath(agentRunId)}/events`,
        query: { detail: 'reports', firstExecutionRunId },
        accept: 'text/event-stream',
        signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
      });
      for await (const { event, data } of readEvents(response.body ?? new ReadableStream())) {
        timer.refresh();
        patience.worked();
        if (event !== 'report' && event !== 'result') continue;
        // A stream that was opened anew begins with the state that was the last one of the stream before.
        if (data !== shown) yield asReport(runReportSchema.parse(JSON.parse(data)));
        shown = data;
        if (event === 'result') return;
      }
      throw new TollgateError('apiUnavailable', 'The API ended the stream before the run ended.');
    } catch (error) {
      if (signal?.aborted) return;
      await patience.after(error instanceof TollgateError || error instanceof HttpProblem ? error : lostConnection(error), signal);
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }
}

function lostConnection(cause: unknown): TollgateError {
  return new TollgateError('apiUnavailable', `The connection to the API was lost (${cause instanceof Error ? cause.message : String(cause)}).`, { cause });
}

async function awaitResult(http: HttpTransport, agentRunId: string): Promise<RunOutcome> {
  const patience = new Patience();
  const path = `${runPath(agentRunId)}/result`;
  // The first one does not wait, so that an API which is not there, or which does not know the run, is told from one that went away.
  for (let waitMs = 0; ; waitMs = RESULT_WAIT_MS) {
    try {
      const { status, body } = await http.answer(z.union([runReportSchema, pendingResultSchema]), { path, query: { waitMs }, timeoutMs: RESULT_TIMEOUT_MS });
      patience.worked();
      if (status === 200) return toOutcome(asReport(runReportSchema.parse(body)));
    } catch (error) {
      await patience.after(error);
    }
  }
}

/** A refusal is an answer here, and a problem on the wire. */
async function sendDecision(http: HttpTransport, approvalId: string, body: object): Promise<DecisionResult> {
  try {
    const answer = await http.json(z.discriminatedUnion('type', [decidedSchema, undecidedSchema]), {
      method: 'POST',
      path: `${approvalPath(approvalId)}/decisions`,
      body,
    });
    return answer as DecisionResult;
  } catch (error) {
    if (!(error instanceof HttpProblem) || error.problem.reason === undefined) throw toTollgateError(error);
    const { reason, gateStatus = null, detail } = error.problem;
    return { type: 'refused', reason, gateStatus, message: detail } as DecisionResult;
  }
}

/** A refusal is an answer here, and a problem on the wire. */
async function sendRepair(http: HttpTransport, agentRunId: string, repair: RepairAsked, given: RepairOptions): Promise<RepairResult> {
  const { type: _type, ...pauseBody } = repairBodyOf(repair, given);
  const isPause = repair.type === 'pause' || repair.type === 'resume';
  try {
    const answer = await http.json(z.discriminatedUnion('type', [...repairedSchema.options, repairUndecidedSchema]), {
      method: 'POST',
      path: `${runPath(agentRunId)}/${isPause ? repair.type : 'repairs'}`,
      body: isPause ? pauseBody : repairBodyOf(repair, given),
    });
    return answer as RepairResult;
  } catch (error) {
    if (!(error instanceof HttpProblem) || error.problem.failureType !== 'repairRefused') throw toTollgateError(error);
    return { type: 'refused', reason: error.problem.reason, message: error.problem.detail } as RepairResult;
  }
}

function repairBodyOf(repair: RepairAsked, given: RepairOptions) {
  return { ...(repair.type === 'raiseBudget' ? { ...repair, amountUsd: String(repair.amountUsd) } : repair), ...given };
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw toTollgateError(error);
  }
}

function listQueryOf({ status, task, tenant, limit = MAX_LISTED, olderThan, parent }: Partial<RunFilter>) {
  const cursor = olderThan === undefined ? undefined : cursorOf(olderThan);
  return { status, task, tenant, limit, cursor, parent: parent?.agentRunId, parentFirstExecutionRunId: parent?.firstExecutionRunId };
}

function runPath(agentRunId: string): string {
  return `/v1/runs/${segment(agentRunId)}`;
}

function approvalPath(approvalId: string): string {
  return `/v1/approvals/${segment(approvalId)}`;
}

function segment(id: string): string {
  // URLs drop these two, however they are written.
  if (id === '' || id === '.' || id === '..') throw new TollgateError('notFound', `"${id}" is no id that can be asked for over HTTP.`);
  return encodeURIComponent(id);
}

function comment({ comment: given }: Pick<DecideOptions, 'comment'>): { readonly comment?: string } {
  return given === undefined ? {} : { comment: given };
}

function digest({ actionDigest }: DecideOptions): { readonly actionDigest?: string } {
  return actionDigest === undefined ? {} : { actionDigest };
}

function asReport(parsed: z.output<typeof runReportSchema>): RunReport {
  return parsed as RunReport;
}

function toOutcome({ agentRunId, status, output, message, failureType, steps, ledger }: RunReport): RunOutcome {
  return {
    agentRunId: agentRunId as AgentRunId,
    status: status as RunOutcome['status'],
    output,
    message: message ?? '',
    ...(failureType === null ? {} : { failureType }),
    steps: steps.length,
    ledger: toTotals(ledger),
  };
}

function toTotals({ limitUsd, settledUsd, heldUsd, writtenOffUsd, overrunUsd }: LedgerReport): LedgerTotals {
  const nano = (usd: string) => (parseUsd(usd) ?? 0) as NanoUsd;
  return {
    limitNanoUsd: nano(limitUsd),
    settledNanoUsd: nano(settledUsd),
    heldNanoUsd: nano(heldUsd),
    writtenOffNanoUsd: nano(writtenOffUsd),
    overrunNanoUsd: nano(overrunUsd),
  };
}

function toDescription(answer: z.output<typeof descriptionSchema>): RunDescription {
  const { agentRunId, firstExecutionRunId, tenant, temporalStatus, startedAt, closedAt, view } = answer;
  return {
    runKey: { agentRunId: agentRunId as AgentRunId, firstExecutionRunId },
    tenant,
    temporalStatus,
    startedAt: new Date(startedAt),
    closedAt: closedAt === null ? null : new Date(closedAt),
    view: view as RunDescription['view'],
  };
}
