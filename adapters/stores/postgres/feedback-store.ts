import { type FeedbackAnswer, type FeedbackStore, MAX_FEEDBACK_PER_RUN, type NewFeedback } from '../../../domain/feedback/store-port.ts';
import { COUNT_FEEDBACK, INSERT_FEEDBACK, SELECT_ONE_FEEDBACK, SELECT_RUN_FEEDBACK, toFeedback } from '../feedback.ts';
import { integer } from '../rows.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Session } from './database.ts';
import { findRunRow, lockRun, unknownRun } from './run-store.ts';

export function createFeedbackStore(db: Database): FeedbackStore {
  return {
    putFeedback: (feedback) => db.transaction((session) => put(session, feedback)),
    listFeedback: async (runKey) => (await db.all(SELECT_RUN_FEEDBACK, { run: (await findRunRow(db, runKey)) ?? -1 })).map(toFeedback),
  };
}

/** Under the lock of the run, so that its rows are counted as they stay. */
async function put(session: Session, { runKey, ...feedback }: NewFeedback): Promise<FeedbackAnswer> {
  const row = await lockRun(session, runKey);
  if (!row) throw unknownRun(runKey);
  const run = integer(row, 'id');
  const { feedbackId, step, scorePerMille, label, actor } = feedback;
  const existing = await session.get(SELECT_ONE_FEEDBACK, { run, feedbackId });
  if (existing) return { type: 'exists', feedback: toFeedback(existing) };
  if (integer((await session.get(COUNT_FEEDBACK, { run })) ?? {}, 'given') >= MAX_FEEDBACK_PER_RUN) return { type: 'tooMany' };
  await session.all(INSERT_FEEDBACK, { run, ...feedback });
  await writeAudit(session, { type: 'feedback.given', runKey, actor, data: { feedbackId, step, scorePerMille, label } });
  return { type: 'given', feedback: toFeedback((await session.get(SELECT_ONE_FEEDBACK, { run, feedbackId })) ?? {}) };
}
