import type { RunKey } from '../../../contracts/ids.ts';
import type { TaskSnapshot } from '../../../contracts/task.ts';
import type { RunRecord } from '../../../domain/store/port.ts';
import { GEN_AI, TOLLGATE } from '../../../telemetry/names.ts';
import type { Attributes, Span } from '../../../telemetry/span.ts';
import { type SpanSubject, spanIdOf, traceOf } from '../../../telemetry/trace-ids.ts';

/** What every span of a run is made from. */
export interface RunView {
  readonly run: RunRecord;
  /** Null where the store no longer has it: spans then say less. */
  readonly snapshot: TaskSnapshot | null;
  /** Whether what was said goes along, redacted as the store has it. */
  readonly withContent: boolean;
}

export type SpanPart = Pick<Span, 'name' | 'startMs' | 'endMs'> & Partial<Pick<Span, 'kind' | 'status' | 'events'>> & { readonly attributes: Attributes };

/** A span of the run below `parent`; the run's own hangs below whoever started it. */
export function spanOf({ run, snapshot }: RunView, subject: SpanSubject, parent: SpanSubject | null, part: SpanPart): Span {
  const { traceId, parentSpanId } = traceOf(run);
  return {
    traceId,
    spanId: spanIdOf(run.runKey, subject),
    parentSpanId: parent ? spanIdOf(run.runKey, parent) : parentSpanId,
    kind: 'internal',
    events: [],
    status: { code: 'ok' },
    ...part,
    // Clocks of two machines may differ by a moment.
    endMs: Math.max(part.startMs, part.endMs),
    attributes: { ...common(run, snapshot), ...part.attributes },
  };
}

export function promptVersionOf({ task, promptDigest }: TaskSnapshot): string {
  return `${task.promptName ?? task.name}@${promptDigest.slice(0, 12)}`;
}

function common(run: RunRecord, snapshot: TaskSnapshot | null): Attributes {
  const top: RunKey = run.parentRunKeys.at(-1) ?? run.runKey;
  return {
    [GEN_AI.conversationId]: top.agentRunId,
    [GEN_AI.agentName]: run.task,
    [TOLLGATE.agentRunId]: run.runKey.agentRunId,
    [TOLLGATE.firstExecutionRunId]: run.runKey.firstExecutionRunId,
    [TOLLGATE.task]: run.task,
    [TOLLGATE.tenant]: run.tenant,
    [TOLLGATE.feature]: run.feature,
    [TOLLGATE.requester]: run.requester,
    ...(snapshot ? { [TOLLGATE.promptVersion]: promptVersionOf(snapshot), [GEN_AI.promptName]: snapshot.task.promptName ?? snapshot.task.name } : {}),
  };
}
