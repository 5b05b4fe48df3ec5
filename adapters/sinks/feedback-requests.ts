import { asUuid } from '../providers/openai/gateway-headers.ts';
import { FEEDBACK_NAME } from '../../telemetry/names.ts';
import type { Feedback } from './feedback.ts';
import { runIdOf } from './overlays.ts';

/** A request that takes feedback to a backend by its own interface. */
export interface FeedbackRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: object;
}

/** Makes the request; null where a backend has no place for such feedback. */
export type FeedbackRequester = (feedback: Feedback) => FeedbackRequest | null;

type Target = Omit<FeedbackRequest, 'body'>;

/** The same id again is the same feedback. */
export function langSmithFeedback(target: Target): FeedbackRequester {
  return ({ uuid, aboutSpanId, score, label, comment, metadata }) => ({
    ...target,
    body: { id: uuid, run_id: runIdOf(aboutSpanId), key: FEEDBACK_NAME, score, value: label, comment, feedback_source: { type: 'api', metadata } },
  });
}

/** Found by its identifier, it is written over. A span that is not there yet is a 404, after which it is tried again. */
export function phoenixFeedback({ url, headers }: Target): FeedbackRequester {
  return ({ feedbackId, aboutSpanId, score, label, comment, metadata }) => ({
    url: `${url}?sync=true`,
    headers,
    body: {
      data: [
        {
          span_id: aboutSpanId,
          name: FEEDBACK_NAME,
          annotator_kind: 'HUMAN',
          result: { score, ...(label === null ? {} : { label }), ...(comment === null ? {} : { explanation: comment }) },
          metadata,
          identifier: feedbackId,
        },
      ],
    },
  });
}

/** The same id again is the same score. */
export function langfuseFeedback(target: Target, environment: string | undefined): FeedbackRequester {
  return ({ uuid, traceId, aboutSpanId, score, label, comment, metadata }) => ({
    ...target,
    body: {
      id: uuid,
      traceId,
      observationId: aboutSpanId,
      name: FEEDBACK_NAME,
      value: score,
      dataType: 'NUMERIC',
      ...(comment === null ? {} : { comment }),
      metadata: { ...metadata, ...(label === null ? {} : { label }) },
      ...(environment === undefined ? {} : { environment }),
    },
  });
}

/** Weave takes no id: what is sent again after an answer was lost is there twice. */
export function weaveFeedback(target: Target, project: string): FeedbackRequester {
  return ({ feedbackId, aboutSpanId, score, label, comment, metadata }) => ({
    ...target,
    body: {
      project_id: project,
      weave_ref: `weave:///${project}/call/${aboutSpanId}`,
      feedback_type: `tollgate.${FEEDBACK_NAME}`,
      payload: { score, label, comment, feedbackId, ...metadata },
    },
  });
}

/** Helicone rates a call that went through its gateway, by the request's id, good or bad. */
export function heliconeFeedback({ url, headers }: Target): FeedbackRequester {
  return ({ attemptId, score }) =>
    attemptId === null || score === 0 ? null : { url: `${url}/${asUuid(attemptId)}/feedback`, headers, body: { rating: score > 0 } };
}
