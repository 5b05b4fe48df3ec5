import { randomUUID } from 'node:crypto';
import { TollgateError } from '../contracts/failures.ts';
import type { AgentRunId } from '../contracts/ids.ts';
import { type FeedbackRecord, MAX_FEEDBACK_PER_RUN } from '../domain/feedback/store-port.ts';
import type { Store } from '../domain/store/port.ts';
import { type ClientRedaction, redactComment } from './redaction.ts';

export const MAX_COMMENT_LENGTH = 4_000;
const LABEL = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const FEEDBACK_ID = /^[\x21-\x7e]{1,100}$/;

/** What somebody thought of a run. */
export interface Feedback {
  /** From -1 (bad) to 1 (good). Thumbs are -1 and 1. */
  readonly score: number;
  /** A word that feedback is grouped by, such as `wrong-order`. */
  readonly label?: string;
  /** In one's own words; kept with values masked. */
  readonly comment?: string;
  /** The step it is about. Unset: the run as a whole. */
  readonly step?: number;
  /** The same id again for the same run changes nothing. Default: made up. */
  readonly feedbackId?: string;
}

export interface FeedbackGiven {
  readonly feedbackId: string;
  /** False where there was one of that id, which stays as it is. */
  readonly changed: boolean;
}

/** Feedback as a run's report shows it. */
export interface FeedbackReport {
  readonly feedbackId: string;
  readonly score: number;
  readonly step: number | null;
  readonly label: string | null;
  readonly comment: string | null;
  readonly actor: string;
  readonly at: string;
}

export interface FeedbackPorts {
  readonly store: Store;
  readonly redaction: () => Promise<ClientRedaction>;
  /** Who gives it. */
  readonly actor: string;
}

/**
 * Keeps what somebody thought of the newest run of that id, whether it has ended or not.
 * @throws TollgateError `notFound`; `invalidInput` with everything that is wrong with it.
 */
export async function giveFeedback(ports: FeedbackPorts, agentRunId: string, feedback: Feedback): Promise<FeedbackGiven> {
  const run = await ports.store.latestRun(agentRunId as AgentRunId);
  if (!run) throw new TollgateError('notFound', `The store knows no run "${agentRunId}". "tollgate runs list" shows those there are.`);
  const { score, label = null, comment, step = null, feedbackId = randomUUID() } = feedback;
  const redaction = label === null && comment === undefined ? null : await ports.redaction();
  const problems = problemsOf({ ...feedback, feedbackId }, run.steps);
  if (redaction && label !== null && redactComment(redaction, label) !== label) problems.push('label: it has a value that is not kept; use a word.');
  if (problems.length > 0) throw new TollgateError('invalidInput', `The feedback was not kept. ${problems.join('\n')}`);
  const answer = await ports.store.putFeedback({
    runKey: run.runKey,
    feedbackId,
    step,
    scorePerMille: Math.round(score * 1_000),
    label,
    comment: redaction && comment !== undefined ? redactComment(redaction, comment) : null,
    actor: ports.actor,
  });
  if (answer.type !== 'tooMany') return { feedbackId, changed: answer.type === 'given' };
  throw new TollgateError(
    'invalidInput',
    `The feedback was not kept: the run "${agentRunId}" has ${MAX_FEEDBACK_PER_RUN} already, the most that is kept of one.`,
  );
}

function problemsOf({ score, label, comment, step, feedbackId }: Feedback & { readonly feedbackId: string }, steps: number): string[] {
  const checks: readonly (readonly [isWrong: boolean, problem: string])[] = [
    [!(Number.isFinite(score) && Math.abs(score) <= 1), `score: expected a number from -1 (bad) to 1 (good), saw ${JSON.stringify(score)}.`],
    [label !== undefined && !LABEL.test(label), 'label: expected a word of letters, digits, ".", "-" and "_", at most 64.'],
    [comment !== undefined && comment.length > MAX_COMMENT_LENGTH, `comment: expected at most ${MAX_COMMENT_LENGTH} characters, saw ${comment?.length}.`],
    [
      step !== undefined && !(Number.isInteger(step) && step >= 1 && step <= steps),
      `step: expected one of the run's ${steps} steps, saw ${JSON.stringify(step)}.`,
    ],
    [!FEEDBACK_ID.test(feedbackId), 'feedbackId: expected at most 100 printable characters without spaces.'],
  ];
  return checks.flatMap(([isWrong, problem]) => (isWrong ? [problem] : []));
}

export function reportFeedback({ feedbackId, scorePerMille, step, label, comment, actor, atMs }: FeedbackRecord): FeedbackReport {
  return { feedbackId, score: scorePerMille / 1_000, step, label, comment, actor, at: new Date(atMs).toISOString() };
}
