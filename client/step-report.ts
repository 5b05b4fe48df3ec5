import type { JsonValue } from '../contracts/json.ts';
import type { TaskSnapshot } from '../contracts/task.ts';
import type { GateRecord } from '../domain/approval/gate.ts';
import type { AttemptRecord, ToolCallRecord } from '../domain/store/port.ts';

export interface ToolCallReport {
  readonly tool: string;
  /** Null for a tool that the task does not have. */
  readonly effect: string | null;
  /**
   * `done`, `failed`, `inDoubt` or `running` as journalled; else what its gate says (`awaitingApproval`, `denied`,
   * `expired`, `withdrawn`, `superseded`), `unknownTool`, `planned`, or `notRun` where the run has passed it by.
   */
  readonly status: string;
  readonly arguments: JsonValue;
  readonly approvalId?: string;
  readonly isError?: boolean;
  readonly result?: JsonValue;
}

export interface StepReport {
  readonly step: number;
  /** Every try of a model, in order, fallbacks included. */
  readonly attempts: readonly { readonly attemptId: string; readonly model: string; readonly outcome: string }[];
  readonly text: string | null;
  readonly toolCalls: readonly ToolCallReport[];
}

interface StepJournal {
  readonly attempts: readonly AttemptRecord[];
  readonly calls: readonly ToolCallRecord[];
  readonly gates: readonly GateRecord[];
  readonly snapshot: TaskSnapshot | null;
}

/** What each step asked for and what came of it, from the journals alone. Answers to questions at gates are beside the steps. */
export function reportSteps(whole: StepJournal): StepReport[] {
  const journal = { ...whole, attempts: whole.attempts.filter(({ mode }) => mode !== 'answer') };
  const steps = [...new Set(journal.attempts.map((attempt) => attempt.step))].sort((a, b) => a - b);
  const last = steps.at(-1);
  return steps.map((step) => {
    const attempts = journal.attempts.filter((attempt) => attempt.step === step).sort((a, b) => a.ordinal - b.ordinal || a.reservedAtMs - b.reservedAtMs);
    const accepted = attempts.filter((attempt) => attempt.outcome?.type === 'reply').at(-1);
    return {
      step,
      attempts: attempts.map(({ attemptId, model, outcome }) => ({
        attemptId,
        model,
        outcome: outcome === null ? 'inFlight' : outcome.type === 'reply' ? 'ok' : outcome.verdict.class,
      })),
      text: accepted?.reply?.text ?? null,
      toolCalls: accepted ? reportCalls(accepted, journal, step === last) : [],
    };
  });
}

function reportCalls(attempt: AttemptRecord, journal: StepJournal, isLastStep: boolean): ToolCallReport[] {
  const isOf = (entry: { readonly attemptId: string | null; readonly callIndex: number | null }, callIndex: number) =>
    entry.attemptId === attempt.attemptId && entry.callIndex === callIndex;
  return (attempt.reply?.toolCalls ?? []).map((call, callIndex): ToolCallReport => {
    const record = journal.calls
      .filter((entry) => isOf(entry, callIndex))
      .sort((a, b) => a.startedAtMs - b.startedAtMs)
      .at(-1);
    const gate = journal.gates
      .filter((entry) => isOf(entry, callIndex))
      .sort((a, b) => a.createdAtMs - b.createdAtMs)
      .at(-1);
    const tool = journal.snapshot?.task.tools.find((candidate) => candidate.name === call.name);
    return {
      tool: call.name,
      effect: record?.effect ?? tool?.effect ?? null,
      status: journal.snapshot && !tool ? 'unknownTool' : statusOf(record, gate, isLastStep),
      arguments: gate?.kind === 'action' ? gate.arguments : parseArguments(call.argumentsText),
      ...(gate ? { approvalId: gate.approvalId } : {}),
      ...(record && record.status !== 'intent' ? { isError: record.isError, result: record.result } : {}),
    };
  });
}

function statusOf(record: ToolCallRecord | undefined, gate: GateRecord | undefined, isLastStep: boolean): string {
  if (gate?.status === 'open') return 'awaitingApproval';
  if (record) return record.status === 'intent' ? 'running' : record.status;
  if (gate && gate.status !== 'approved' && gate.status !== 'consumed') return gate.status;
  return isLastStep ? 'planned' : 'notRun';
}

function parseArguments(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
