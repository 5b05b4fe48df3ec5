import type { AgentRunId } from '../../contracts/ids.ts';
import type { FeedbackRecord } from '../../domain/feedback/store-port.ts';
import { integer, integerOrNull, type Row, text, textOrNull } from './rows.ts';

/** The table of feedback: the same in both stores but for the names of types. */
export function feedbackTables({ integer: number, id, table }: { readonly integer: string; readonly id: string; readonly table: string }): string {
  return `
  CREATE TABLE feedback (
    id ${id},
    run ${number} NOT NULL REFERENCES runs (id),
    feedback_id TEXT NOT NULL,
    step ${number},
    score_per_mille ${number} NOT NULL CHECK (score_per_mille BETWEEN -1000 AND 1000),
    label TEXT,
    comment TEXT,
    actor TEXT NOT NULL,
    at_ms ${number} NOT NULL,
    UNIQUE (run, feedback_id)
  )${table};
  CREATE INDEX feedback_by_time ON feedback (at_ms);
  `;
}

export const INSERT_FEEDBACK = `INSERT INTO feedback (run, feedback_id, step, score_per_mille, label, comment, actor, at_ms)
  VALUES (:run, :feedbackId, :step, :scorePerMille, :label, :comment, :actor, :now)`;
export const COUNT_FEEDBACK = 'SELECT count(*) AS given FROM feedback WHERE run = :run';
const SELECT_FEEDBACK = `SELECT feedback.id, feedback_id, step, score_per_mille, label, comment, actor, at_ms, runs.agent_run_id, runs.first_execution_run_id
  FROM feedback JOIN runs ON runs.id = feedback.run`;
export const SELECT_ONE_FEEDBACK = `${SELECT_FEEDBACK} WHERE feedback.run = :run AND feedback_id = :feedbackId`;
export const SELECT_RUN_FEEDBACK = `${SELECT_FEEDBACK} WHERE feedback.run = :run ORDER BY feedback.id`;

export function toFeedback(row: Row): FeedbackRecord {
  return {
    sequence: integer(row, 'id'),
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    feedbackId: text(row, 'feedback_id'),
    step: integerOrNull(row, 'step'),
    scorePerMille: integer(row, 'score_per_mille'),
    label: textOrNull(row, 'label'),
    comment: textOrNull(row, 'comment'),
    actor: text(row, 'actor'),
    atMs: integer(row, 'at_ms'),
  };
}
