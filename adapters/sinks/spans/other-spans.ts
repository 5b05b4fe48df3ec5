import type { LedgerTotals } from '../../../contracts/budget.ts';
import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { SkipRecord, ToolCallRecord } from '../../../domain/store/port.ts';
import type { StepTimes } from '../../../domain/trace/store-port.ts';
import { EVENT, GEN_AI, OPERATION, TOLLGATE } from '../../../telemetry/names.ts';
import type { Attributes, Span } from '../../../telemetry/span.ts';
import type { SpanSubject } from '../../../telemetry/trace-ids.ts';
import { type RunView, spanOf } from './run-view.ts';

/** The run itself, with the totals of its budget. Those include its children's; tokens are on the attempts alone, so that nobody adds them twice. */
export function runSpan(view: RunView, endMs: number, ledger: LedgerTotals | null, content: Attributes): Span {
  const { run, snapshot } = view;
  const workflow = snapshot?.task.workflow;
  const isGood = run.end?.status === 'completed';
  const isFailed = run.end?.status === 'failed';
  return spanOf(view, { type: 'run' }, null, {
    name: workflow === undefined ? `${OPERATION.invokeAgent} ${run.task}` : `${OPERATION.invokeWorkflow} ${workflow}`,
    startMs: run.startedAtMs,
    endMs,
    status: isFailed ? { code: 'error', ...(view.withContent && run.end ? { message: run.end.message } : {}) } : { code: isGood ? 'ok' : 'unset' },
    attributes: {
      [GEN_AI.operation]: workflow === undefined ? OPERATION.invokeAgent : OPERATION.invokeWorkflow,
      [GEN_AI.workflowName]: workflow,
      [GEN_AI.agentId]: run.runKey.agentRunId,
      [GEN_AI.provider]: snapshot?.candidates[0]?.provider,
      [GEN_AI.errorType]: isFailed ? (run.end?.failureType ?? 'failed') : undefined,
      [TOLLGATE.runStatus]: run.end?.status,
      [TOLLGATE.runMessage]: view.withContent ? run.end?.message : undefined,
      [TOLLGATE.steps]: run.steps,
      [TOLLGATE.costLimitNanoUsd]: ledger?.limitNanoUsd,
      [TOLLGATE.costSettledNanoUsd]: ledger?.settledNanoUsd,
      [TOLLGATE.costHeldNanoUsd]: ledger?.heldNanoUsd,
      [TOLLGATE.costWrittenOffNanoUsd]: ledger?.writtenOffNanoUsd,
      [TOLLGATE.costOverrunNanoUsd]: ledger?.overrunNanoUsd,
      ...content,
    },
  });
}

export interface StepFacts {
  readonly step: number;
  readonly times: StepTimes;
  readonly skips: readonly SkipRecord[];
  readonly gates: readonly GateRecord[];
}

/** A step: its tries, its tool calls and the gates they met; what was passed over is an event. Null where nothing was tried in it. */
export function stepSpan(view: RunView, { step, times, skips, gates }: StepFacts): Span | null {
  const [first] = times.attempts;
  if (!first) return null;
  const ids = new Set(times.attempts.map(({ attemptId }) => attemptId));
  const waits = gates.flatMap((gate) => (gate.attemptId && ids.has(gate.attemptId) ? [gate.consumedAtMs ?? gate.decidedAtMs ?? 0] : []));
  const ends = [...times.attempts.map(({ endedAtMs }) => endedAtMs ?? 0), times.toolsEndedAtMs ?? 0, ...waits];
  const passed = skips.filter((skip) => skip.step === step);
  return spanOf(
    view,
    { type: 'step', step },
    { type: 'run' },
    {
      name: `step ${step}`,
      startMs: Math.min(first.reservedAtMs, ...passed.map(({ atMs }) => atMs)),
      endMs: Math.max(...ends),
      attributes: { [TOLLGATE.step]: step },
      events: passed.map(({ atMs, model, reason, ordinal }) => ({
        name: EVENT.skipped,
        atMs,
        attributes: { [GEN_AI.requestModel]: model, [TOLLGATE.skipReason]: reason, [TOLLGATE.ordinal]: ordinal },
      })),
    },
  );
}

/** A tool call under the step that asked for it; null `step`: the journal no longer says which. */
export function toolSpan(view: RunView, call: ToolCallRecord, at: { readonly step: number | null; readonly endMs: number }, content: Attributes): Span {
  const isOver = call.status === 'done' || call.status === 'failed';
  const error = isOver ? 'tool_error' : 'in_doubt';
  const isGood = isOver && !call.isError;
  return spanOf(view, { type: 'tool', callKey: call.callKey }, below(at.step), {
    name: `${OPERATION.executeTool} ${call.tool}`,
    startMs: call.startedAtMs,
    endMs: at.endMs,
    status: { code: isGood ? 'ok' : 'error' },
    attributes: {
      [GEN_AI.operation]: OPERATION.executeTool,
      [GEN_AI.toolName]: call.tool,
      [GEN_AI.toolType]: 'function',
      [GEN_AI.errorType]: isGood ? undefined : error,
      [TOLLGATE.step]: at.step ?? undefined,
      [TOLLGATE.effect]: call.effect,
      [TOLLGATE.toolVersion]: call.toolVersion,
      [TOLLGATE.callKey]: call.callKey,
      [TOLLGATE.toolStatus]: call.status,
      [TOLLGATE.approvalId]: call.approvalId ?? undefined,
      ...content,
    },
  });
}

/** A gate from its opening to the decision, or to its end without one. Who decided is in the audit, not here. */
export function gateSpan(view: RunView, gate: GateRecord, at: { readonly step: number | null; readonly endMs: number }): Span {
  const endMs = gate.decidedAtMs ?? at.endMs;
  const approvals = new Set(gate.votes.filter(({ verdict }) => verdict === 'approve').map(({ approver }) => approver)).size;
  return spanOf(view, { type: 'gate', approvalId: gate.approvalId }, below(at.step), {
    name: `gate ${gate.tool}`,
    startMs: gate.createdAtMs,
    endMs,
    status: { code: gate.status === 'consumed' ? 'ok' : 'unset' },
    attributes: {
      [TOLLGATE.step]: at.step ?? undefined,
      [TOLLGATE.approvalId]: gate.approvalId,
      [TOLLGATE.gateKind]: gate.kind,
      [TOLLGATE.gateStatus]: gate.status,
      [TOLLGATE.gateRole]: gate.policy.role,
      [TOLLGATE.gateApprovals]: approvals,
      [TOLLGATE.gateWaitMs]: Math.max(0, endMs - gate.createdAtMs),
      [GEN_AI.toolName]: gate.tool,
    },
  });
}

function below(step: number | null): SpanSubject {
  return step === null ? { type: 'run' } : { type: 'step', step };
}
