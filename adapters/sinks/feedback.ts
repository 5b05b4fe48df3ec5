import type { RunKey } from '../../contracts/ids.ts';
import { invariant } from '../../contracts/failures.ts';
import type { FeedbackRecord } from '../../domain/feedback/store-port.ts';
import type { Store } from '../../domain/store/port.ts';
import { EVALUATION, EVENT, FEEDBACK_NAME, TOLLGATE } from '../../telemetry/names.ts';
import type { Span } from '../../telemetry/span.ts';
import { type SpanSubject, spanIdOf, uuidOf } from '../../telemetry/trace-ids.ts';
import { spanOf } from './spans/run-view.ts';

/** What somebody thought of a run or a step, for backends. Who it was stays here. */
export interface Feedback {
  /** The same whenever it is sent, for backends that take an id. */
  readonly uuid: string;
  readonly feedbackId: string;
  readonly traceId: string;
  /** The span that it is about: the run's, or the step's. */
  readonly aboutSpanId: string;
  /** From -1 to 1. */
  readonly score: number;
  readonly label: string | null;
  /** Null unless content goes along. */
  readonly comment: string | null;
  readonly metadata: Readonly<Record<string, string | number>>;
  /** The call whose answer it is about; null where there is none. */
  readonly attemptId: string | null;
  /** The same as a span below the one that it is about, with an evaluation's event, for backends that take spans alone. */
  readonly span: Span;
}

/** @throws where the journal no longer has it. */
export async function feedbackOf(store: Store, runKey: RunKey, feedbackId: string, withContent: boolean): Promise<Feedback> {
  const run = await store.getRun(runKey);
  const given = (await store.listFeedback(runKey)).find((feedback) => feedback.feedbackId === feedbackId);
  invariant(run && given, `feedback ${feedbackId} of the outbox is in the store`);
  const about: SpanSubject = given.step === null ? { type: 'run' } : { type: 'step', step: given.step };
  const score = given.scorePerMille / 1_000;
  const comment = withContent ? given.comment : null;
  const span = spanOf({ run, snapshot: null, withContent }, { type: 'feedback', feedbackId }, about, {
    name: 'feedback',
    startMs: given.atMs,
    endMs: given.atMs,
    attributes: { [TOLLGATE.feedbackScore]: score, [TOLLGATE.step]: given.step ?? undefined },
    events: [{ name: EVENT.evaluation, atMs: given.atMs, attributes: evaluation(score, given.label, comment) }],
  });
  const { task, tenant, feature } = run;
  return {
    uuid: uuidOf(runKey, { type: 'feedback', feedbackId }),
    feedbackId,
    traceId: span.traceId,
    aboutSpanId: spanIdOf(runKey, about),
    score,
    label: given.label,
    comment,
    metadata: { agentRunId: runKey.agentRunId, task, tenant, feature, ...(given.step === null ? {} : { step: given.step }) },
    attemptId: await answerOf(store, given),
    span,
  };
}

function evaluation(score: number, label: string | null, comment: string | null): Span['attributes'] {
  return {
    [EVALUATION.name]: FEEDBACK_NAME,
    [EVALUATION.score]: score,
    [EVALUATION.label]: label ?? undefined,
    [EVALUATION.explanation]: comment ?? undefined,
  };
}

/** The last usable reply of the step, or of the run. */
async function answerOf(store: Store, { runKey, step }: FeedbackRecord): Promise<string | null> {
  const attempts = await store.listAttempts(runKey);
  return attempts.findLast((attempt) => attempt.outcome?.type === 'reply' && (step === null || attempt.step === step))?.attemptId ?? null;
}
