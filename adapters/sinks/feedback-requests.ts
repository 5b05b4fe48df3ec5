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
export type FeedbackRequester = (feedback: Feedback) => FeedbackRequest | null | Promise<FeedbackRequest | null>;

type Target = Omit<FeedbackRequest, 'body'>;

/**
 * The same id again is the same feedback. Newer servers find a run only with the id of its project beside it, which is looked
 * up once; where that fails, feedback goes without, as older clients send it.
 */
export function langSmithFeedback(target: Target, projectOf: () => Promise<string | null>): FeedbackRequester {
  let project: string | null = null;
  return async ({ uuid, aboutSpanId, score, label, comment, metadata }) => {
    project ??= await projectOf();
    return {
      ...target,
      body: {
        id: uuid,
        run_id: runIdOf(aboutSpanId),
        key: FEEDBACK_NAME,
        score,
        value: label,
        comment,
        feedback_source: { type: 'api', metadata },
        ...(project === null ? {} : { session_id: project }),
      },
    };
  };
}

const LOOK_UP_MS = 5_000;

/** The id of a project of LangSmith by its name; null where it can't be had. */
export async function langSmithProject(url: string, headers: Readonly<Record<string, string>>, name: string): Promise<string | null> {
  try {
    const asked = `${url}?${new URLSearchParams({ name, limit: '1' })}`;
    const answer = await fetch(asked, { headers, redirect: 'manual', signal: AbortSignal.timeout(LOOK_UP_MS) });
    const id = answer.ok ? ((await answer.json()) as { readonly id?: unknown }[])[0]?.id : null;
    return typeof id === 'string' ? id : null;
  } catch {
    return null;
  }
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
