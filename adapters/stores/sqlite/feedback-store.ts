import { type FeedbackAnswer, type FeedbackStore, MAX_FEEDBACK_PER_RUN, type NewFeedback } from '../../../domain/feedback/store-port.ts';
import { COUNT_FEEDBACK, INSERT_FEEDBACK, SELECT_ONE_FEEDBACK, SELECT_RUN_FEEDBACK, toFeedback } from '../feedback.ts';
import { integer } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Connection } from './connection.ts';
import { findRunRow, runRow } from './run-store.ts';

export function createFeedbackStore(db: Connection): FeedbackStore {
  return {
    putFeedback: async (feedback) => db.write(() => put(db, feedback)),
    listFeedback: async (runKey) => db.read(() => db.all(SELECT_RUN_FEEDBACK, { run: findRunRow(db, runKey) ?? -1 })).map(toFeedback),
  };
}

function put(db: Connection, { runKey, ...feedback }: NewFeedback): FeedbackAnswer {
  const run = runRow(db, runKey);
  const { feedbackId, step, scorePerMille, label, actor } = feedback;
  const existing = db.get(SELECT_ONE_FEEDBACK, { run, feedbackId });
  if (existing) return { type: 'exists', feedback: toFeedback(existing) };
  if (integer(db.get(COUNT_FEEDBACK, { run }) ?? {}, 'given') >= MAX_FEEDBACK_PER_RUN) return { type: 'tooMany' };
  db.run(INSERT_FEEDBACK, { run, ...feedback, now: db.now() });
  writeAudit(db, { type: 'feedback.given', runKey, actor, data: { feedbackId, step, scorePerMille, label } });
  return { type: 'given', feedback: toFeedback(db.get(SELECT_ONE_FEEDBACK, { run, feedbackId }) ?? {}) };
}
