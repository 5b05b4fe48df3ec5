import type { ModelReply } from '../contracts/model.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import type { AttemptRecord, RunRecord, Store, ToolCallRecord } from '../domain/store/port.ts';
import { formatUsd } from '../domain/budget/price.ts';
import { type GateReport, reportGate } from './gate-report.ts';
import { standingOf, type Viewer, type ViewerStanding } from './gate-standing.ts';
import { type RunSummary, summarizeRun } from './run-report.ts';
import { reportStandingState } from './standing-door.ts';
import type { StandingReport } from './standing-report.ts';
import { reportSteps } from './step-report.ts';
import { withStops } from './stopped-gates.ts';

/** No text of the page's answers is longer; the gate's own arguments come whole. */
const MAX_TEXT_LENGTH = 8_000;
const MAX_ACTIONS = 100;
const MAX_GATES = 100;

export interface WaitingGate extends ViewerStanding {
  readonly gate: GateReport;
  readonly task: string;
  readonly tenant: string;
  readonly feature: string;
}

export interface InboxReport {
  /** Most urgent first. */
  readonly gates: readonly WaitingGate[];
  /** How many wait in all, also beyond this list. */
  readonly total: number;
  /** The store's clock, by which gates expire. */
  readonly now: string;
}

export interface ActionReport {
  readonly step: number;
  readonly tool: string;
  readonly effect: string | null;
  readonly status: string;
}

/** What an approver wants to know beside the gate itself. */
export interface GateContext extends WaitingGate {
  readonly run: RunSummary & { readonly requester: string };
  /** The step that asked for it; null for a gate of the run itself. */
  readonly step: number | null;
  /** What the model last said before it asked. */
  readonly said: string | null;
  /** The last message of the person that the run works for. */
  readonly asked: string | null;
  /** What the run has asked for up to now, the last ones. */
  readonly done: readonly ActionReport[];
  readonly calls: number;
  readonly spentUsd: string;
  /** What became of the action, once it has begun. */
  readonly action: { readonly status: string; readonly startedAt: string; readonly endedAt: string | null } | null;
  /** The standing approval that approved it in place of people, with what is used of it. */
  readonly grant: StandingReport | null;
  /** Other gates of the run that wait. */
  readonly others: readonly { readonly approvalId: string; readonly tool: string }[];
  readonly now: string;
}

/** What waits, most urgent first, with what of it waits for this person. */
export async function reportInbox(store: Store, viewer: Viewer, filter: { readonly tenant?: string; readonly limit: number }): Promise<InboxReport> {
  const [{ gates, total }, nowMs] = await Promise.all([store.listWaitingGates(filter), store.nowMs()]);
  const shown = await withStops(
    store,
    gates.map(({ gate }) => ({ gate, report: reportGate(gate) })),
  );
  return {
    gates: gates.map(({ gate, ...run }, index) => ({ gate: shown[index] ?? reportGate(gate), ...run, ...standingOf(gate, viewer, run.tenant, nowMs) })),
    total,
    now: new Date(nowMs).toISOString(),
  };
}

/** A gate in its run: why it asks, what it has done and spent. Shows tokens, never what they stand for. */
export async function reportGateContext(store: Store, viewer: Viewer, gate: GateRecord, run: RunRecord): Promise<GateContext> {
  const { runKey } = gate;
  const [[shown], grant, summary, attempts, calls, gates, nowMs] = await Promise.all([
    withStops(store, [{ gate, report: reportGate(gate) }]),
    grantOf(store, gate),
    summarizeRun(store, run),
    store.listAttempts(runKey),
    store.listToolCalls(runKey),
    store.listGates({ runKey, limit: MAX_GATES }),
    store.nowMs(),
  ]);
  const asking = attempts.find(({ attemptId }) => attemptId === gate.attemptId);
  const steps = reportSteps({ attempts, calls, gates, snapshot: null });
  const done = steps.flatMap(({ step, toolCalls }) =>
    toolCalls.filter(({ approvalId }) => approvalId !== gate.approvalId).map(({ tool, effect, status }) => ({ step, tool, effect, status })),
  );
  return {
    gate: shown ?? reportGate(gate),
    task: run.task,
    tenant: run.tenant,
    feature: run.feature,
    ...standingOf(gate, viewer, run.tenant, nowMs),
    run: { ...summary, requester: run.requester },
    step: asking?.step ?? null,
    ...(await lastWords(store, asking ?? attempts.findLast(({ mode }) => mode !== 'answer'))),
    done: done.slice(-MAX_ACTIONS),
    calls: attempts.length,
    spentUsd: formatUsd(attempts.reduce((sum, { money }) => sum + (money.status === 'released' ? 0 : (money.settledNanoUsd ?? 0)), 0)),
    action: reportAction(calls.find(({ approvalId }) => approvalId === gate.approvalId)),
    grant,
    others: gates.filter(({ status, approvalId }) => status === 'open' && approvalId !== gate.approvalId).map(({ approvalId, tool }) => ({ approvalId, tool })),
    now: new Date(nowMs).toISOString(),
  };
}

async function grantOf(store: Store, { standing }: GateRecord): Promise<StandingReport | null> {
  const state = standing ? await store.getStanding(standing.standingId) : null;
  return state ? await reportStandingState(store, state) : null;
}

async function lastWords(store: Store, attempt: AttemptRecord | undefined): Promise<Pick<GateContext, 'said' | 'asked'>> {
  if (!attempt) return { said: null, asked: null };
  const transcript = await store.loadTranscript(attempt.runKey, attempt.head);
  const messages = transcript.type === 'transcript' ? transcript.messages : [];
  const asked = messages.findLast(({ role }) => role === 'user');
  const earlier = messages.findLast((message) => message.role === 'assistant' && wordsOf(message) !== null);
  return { said: cut(wordsOf(attempt.reply) ?? wordsOf(earlier)), asked: cut(wordsOf(asked)) };
}

function wordsOf(message: { readonly text?: string | null } | Pick<ModelReply, 'text'> | null | undefined): string | null {
  return message?.text?.trim() ? message.text : null;
}

function cut(text: string | null): string | null {
  return text !== null && text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)} … (${text.length} characters in all)` : text;
}

function reportAction(call: ToolCallRecord | undefined): GateContext['action'] {
  if (!call) return null;
  const { status, startedAtMs, endedAtMs } = call;
  return {
    status: status === 'intent' ? 'running' : status,
    startedAt: new Date(startedAtMs).toISOString(),
    endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
  };
}
