import type { z } from 'zod';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/client';
import type { AgentRunEndStatus, AgentRunResult, CompensationReport } from '../contracts/agent-run.ts';
import type { Exhausted, LedgerTotals } from '../contracts/budget.ts';
import type { AgentRunId, AttemptId } from '../contracts/ids.ts';
import type { RunRecord, Store } from '../domain/store/port.ts';

/** How a run ended. `ledger` and `steps` are null where only the store would know and the client has none. */
interface RunEnding {
  readonly agentRunId: AgentRunId;
  /** How the run ended, for a person. */
  readonly message: string;
  /** A failure type of contracts/failures.ts, where status is `failed`. */
  readonly failureType?: string;
  /** Which limit it was, where status is `budgetExhausted`. */
  readonly exhausted?: Exhausted;
  /** What was undone, where the task asked for it. */
  readonly compensation?: CompensationReport;
  readonly steps: number | null;
  readonly ledger: LedgerTotals | null;
}

/** What a task with an output schema answers: the parsed answer of a completed run, and in any case what the model said last. */
export type AnswerOf<Output> =
  | { readonly status: 'completed'; readonly output: Output; readonly outputText: string | null }
  | { readonly status: Exclude<AgentRunEndStatus, 'completed'>; readonly output: null; readonly outputText: string | null };

/** How a run ended, with its answer: text, or what the task's output schema makes of it. */
export type RunOutcome<Output = string | null> = RunEnding &
  ([Output] extends [string | null] ? { readonly status: AgentRunEndStatus; readonly output: string | null } : AnswerOf<Output>);

/** What a run of a task answers: what its output schema says, else text. */
export type OutputOf<Task> = Task extends { readonly output?: infer Output }
  ? NonNullable<Output> extends z.ZodType
    ? z.ZodType extends NonNullable<Output>
      ? string | null
      : z.output<NonNullable<Output>>
    : string | null
  : string | null;

/** The answer of the workflow, in the client's words. */
export function outcomeOfResult(result: AgentRunResult): RunOutcome {
  const { agentRunId, status, output, message, failureType, exhausted, compensation, steps, ledger } = result;
  const why = {
    ...(failureType === undefined ? {} : { failureType }),
    ...(exhausted === undefined ? {} : { exhausted }),
    ...(compensation === undefined ? {} : { compensation }),
  };
  return { agentRunId: agentRunId as AgentRunId, status, output, message, ...why, steps, ledger };
}

/** What the cause of a workflow's failure says about the run. A run that failed by its own decision carries its result. */
export function outcomeOfFailure(agentRunId: AgentRunId, cause: unknown): RunOutcome {
  const none = { agentRunId, output: null, steps: null, ledger: null } as const;
  if (cause instanceof ApplicationFailure) {
    const result = cause.details?.[0];
    if (isResult(result)) return outcomeOfResult(result);
    return { ...none, status: 'failed', message: cause.message, failureType: cause.type ?? 'invariantBroken' };
  }
  if (cause instanceof CancelledFailure) return { ...none, status: 'cancelled', message: 'The run was cancelled.' };
  if (cause instanceof TerminatedFailure) return { ...none, status: 'cancelled', message: 'The run was terminated in Temporal.' };
  if (cause instanceof TimeoutFailure) return { ...none, status: 'failed', message: 'Temporal let the run time out.', failureType: 'closedByTemporal' };
  return { ...none, status: 'failed', message: cause instanceof Error ? cause.message : 'The run failed and gave no reason.', failureType: 'closedByTemporal' };
}

function isResult(value: unknown): value is AgentRunResult {
  return typeof value === 'object' && value !== null && 'status' in value && 'ledger' in value;
}

/** Adds what the store knows: the ledger of a run that carried none, and an output too large for history. */
export async function completeOutcome(outcome: RunOutcome, store: Store, run: RunRecord): Promise<RunOutcome> {
  const ledger = await store.getLedger(run.runKey);
  return {
    ...outcome,
    output: outcome.output ?? (await readOutput(store, run)),
    steps: outcome.steps ?? run.steps,
    ledger: ledger ?? outcome.ledger,
  };
}

/** The last answer of a run that has ended, from the reply of the attempt that gave it. */
export async function readOutput(store: Store, run: RunRecord): Promise<string | null> {
  const attemptId: AttemptId | undefined = run.end?.outputAttemptId;
  if (attemptId === undefined) return run.end?.text ?? null;
  const attempt = await store.getAttempt(run.runKey, attemptId);
  return attempt?.reply?.text ?? attempt?.reply?.refusal ?? null;
}
