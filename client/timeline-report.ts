import { formatUsd } from '../domain/budget/price.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';

/** A run with more shows its last ones. */
const MAX_SPANS = 2_000;
const MAX_GATES = 1_000;

/** Something that took time in a run: an attempt at a model, a tool call, a gate that waited. */
export interface TimelineSpan {
  readonly type: 'attempt' | 'toolCall' | 'gate';
  /** Null for a gate that the run opened by itself. */
  readonly step: number | null;
  readonly label: string;
  readonly status: string;
  readonly startedAt: string;
  /** Null while it goes on. */
  readonly endedAt: string | null;
  readonly costUsd?: string | null;
  readonly approvalId?: string;
}

export interface TimelineReport {
  readonly agentRunId: string;
  readonly firstExecutionRunId: string;
  readonly spans: readonly TimelineSpan[];
  /** How many there are, also those not listed. */
  readonly total: number;
  readonly now: string;
}

/** When each attempt, tool call and gate of a run began and ended, in the order of their beginnings. */
export async function reportTimeline(store: Store, { runKey }: RunRecord): Promise<TimelineReport> {
  const [attempts, calls, gates, nowMs] = await Promise.all([
    store.listAttempts(runKey),
    store.listToolCalls(runKey),
    store.listGates({ runKey, limit: MAX_GATES }),
    store.nowMs(),
  ]);
  const stepOf = new Map<string, number>(attempts.map(({ attemptId, step }) => [attemptId, step]));
  const spans: TimelineSpan[] = [
    ...attempts.map(
      ({ step, model, outcome, money, reservedAtMs, endedAtMs }): TimelineSpan => ({
        type: 'attempt',
        step,
        label: model,
        status: outcome === null ? 'inFlight' : outcome.type === 'reply' ? 'ok' : outcome.verdict.class,
        ...between(reservedAtMs, endedAtMs),
        costUsd: money.status === 'released' ? formatUsd(0) : money.settledNanoUsd === null ? null : formatUsd(money.settledNanoUsd),
      }),
    ),
    ...calls.map(
      ({ attemptId, tool, status, startedAtMs, endedAtMs }): TimelineSpan => ({
        type: 'toolCall',
        step: stepOf.get(attemptId) ?? null,
        label: tool,
        status: status === 'intent' ? 'running' : status,
        ...between(startedAtMs, endedAtMs),
      }),
    ),
    ...gates.map(
      ({ attemptId, approvalId, tool, status, createdAtMs, decidedAtMs }): TimelineSpan => ({
        type: 'gate',
        step: attemptId === null ? null : (stepOf.get(attemptId) ?? null),
        label: tool,
        status,
        ...between(createdAtMs, decidedAtMs),
        approvalId,
      }),
    ),
  ];
  spans.sort((a, b) => a.startedAt.localeCompare(b.startedAt));
  return { ...runKey, spans: spans.slice(-MAX_SPANS), total: spans.length, now: new Date(nowMs).toISOString() };
}

function between(startedAtMs: number, endedAtMs: number | null): Pick<TimelineSpan, 'startedAt' | 'endedAt'> {
  return { startedAt: new Date(startedAtMs).toISOString(), endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString() };
}
