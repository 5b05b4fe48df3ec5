import type { RunKey } from '../../contracts/ids.ts';

/** What somebody thought of a run, or of one of its steps. */
export interface NewFeedback {
  readonly runKey: RunKey;
  /** The same id again for the same run changes nothing. */
  readonly feedbackId: string;
  /** The step it is about; null: the run as a whole. */
  readonly step: number | null;
  /** From -1 (bad) to 1 (good), in thousandths. */
  readonly scorePerMille: number;
  /** A word that feedback is grouped by, such as `wrong-order`. */
  readonly label: string | null;
  /** Redacted by whoever sends it. */
  readonly comment: string | null;
  /** Who gave it, as the door that took it knows them. */
  readonly actor: string;
}

export interface FeedbackRecord extends NewFeedback {
  /** Grows with every row. */
  readonly sequence: number;
  readonly atMs: number;
}

export type FeedbackAnswer =
  | { readonly type: 'given'; readonly feedback: FeedbackRecord }
  /** There was one of that id; it stays as it is. */
  | { readonly type: 'exists'; readonly feedback: FeedbackRecord }
  | { readonly type: 'tooMany' };

/** The most feedback that is kept of one run. */
export const MAX_FEEDBACK_PER_RUN = 200;

export interface FeedbackStore {
  /** Adds feedback, unless the run has as much as is kept of one. */
  putFeedback(feedback: NewFeedback): Promise<FeedbackAnswer>;
  /** Of one run, oldest first. */
  listFeedback(runKey: RunKey): Promise<readonly FeedbackRecord[]>;
}
