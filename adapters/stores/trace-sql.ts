import type { AgentRunId } from '../../contracts/ids.ts';
import type { AttemptMoneyStatus, NanoUsd } from '../../contracts/budget.ts';
import type { Ended, EndedKind, SinkState, StepTimes } from '../../domain/trace/store-port.ts';
import { integer, integerOrNull, jsonOrNull, type Row, text, textOrNull } from './rows.ts';

/** What both stores need to keep what is to be exported, in SQL that reads the same in both. `:now` is the store's time. */

export const REGISTER_SINK = `INSERT INTO trace_sinks (sink, takes, seen_at_ms) VALUES (:sink, :takes, :now)
  ON CONFLICT (sink) DO UPDATE SET seen_at_ms = excluded.seen_at_ms`;
export const FORGET_SINKS = 'DELETE FROM trace_sinks WHERE seen_at_ms < :before';
export const FORGET_OUTBOX = 'DELETE FROM trace_outbox WHERE sink NOT IN (SELECT sink FROM trace_sinks)';
/** Of a sink: its rows, but none before which a row of the sink `:behind` came that is still there. */
const WAITING = `trace_outbox.sink = :sink
  AND trace_outbox.id < coalesce((SELECT min(ahead.id) FROM trace_outbox AS ahead WHERE ahead.sink = :behind), 9223372036854775807)`;
/** So that a sink with nothing to do costs no write. */
export const HAS_ENDED = `SELECT 1 AS one FROM trace_outbox WHERE ${WAITING} LIMIT 1`;
export const CLAIM_SINK = `UPDATE trace_sinks SET holder = :holder, lease_until_ms = :until
  WHERE sink = :sink AND (holder = :holder OR lease_until_ms < :now) RETURNING sink`;
export const SELECT_ENDED = `SELECT trace_outbox.id, trace_outbox.kind, trace_outbox.ref, trace_outbox.at_ms, trace_outbox.money_status,
    trace_outbox.settled_nano_usd, trace_outbox.usage_json, runs.agent_run_id, runs.first_execution_run_id
  FROM trace_outbox JOIN runs ON runs.id = trace_outbox.run WHERE ${WAITING} ORDER BY trace_outbox.id LIMIT :limit`;
/** Gives the lease back, so that whoever comes next need not wait for it to run out. */
export const COUNT_SINK = 'UPDATE trace_sinks SET exported = exported + :exported, dropped = dropped + :dropped, lease_until_ms = 0 WHERE sink = :sink';
export const COUNT_PENDING = 'SELECT count(*) AS pending FROM trace_outbox WHERE sink = :sink';
export const TRIM_OUTBOX = 'DELETE FROM trace_outbox WHERE id IN (SELECT id FROM trace_outbox WHERE sink = :sink ORDER BY id LIMIT :excess)';
export const SELECT_STEP = 'SELECT attempt_id, model, reserved_at_ms, ended_at_ms FROM attempts WHERE run = :run AND step = :step ORDER BY id';
export const SELECT_STEP_TOOLS = `SELECT max(tool_calls.ended_at_ms) AS ended_at_ms FROM tool_calls JOIN attempts
  ON attempts.run = tool_calls.run AND attempts.attempt_id = tool_calls.attempt_id WHERE tool_calls.run = :run AND attempts.step = :step`;
export const SELECT_SINKS = `SELECT sink, exported, dropped, (SELECT count(*) FROM trace_outbox WHERE trace_outbox.sink = trace_sinks.sink) AS pending,
    (SELECT at_ms FROM trace_outbox WHERE trace_outbox.sink = trace_sinks.sink ORDER BY id LIMIT 1) AS oldest_at_ms
  FROM trace_sinks ORDER BY sink`;

export function toEnded(row: Row): Ended {
  const status = textOrNull(row, 'money_status') as AttemptMoneyStatus | null;
  return {
    id: integer(row, 'id'),
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    kind: text(row, 'kind') as EndedKind,
    ref: text(row, 'ref'),
    atMs: integer(row, 'at_ms'),
    money: status && { status, settledNanoUsd: integerOrNull(row, 'settled_nano_usd') as NanoUsd | null, usage: jsonOrNull(row, 'usage_json') },
  };
}

export function toStepTimes(attempts: readonly Row[], tools: Row | undefined): StepTimes {
  return {
    attempts: attempts.map((row) => ({
      attemptId: text(row, 'attempt_id'),
      model: text(row, 'model'),
      reservedAtMs: integer(row, 'reserved_at_ms'),
      endedAtMs: integerOrNull(row, 'ended_at_ms'),
    })),
    toolsEndedAtMs: tools ? integerOrNull(tools, 'ended_at_ms') : null,
  };
}

export function toSinkState(row: Row): SinkState {
  const count = (name: string) => integer(row, name);
  return {
    sink: text(row, 'sink'),
    pending: count('pending'),
    oldestAtMs: integerOrNull(row, 'oldest_at_ms'),
    exported: count('exported'),
    dropped: count('dropped'),
  };
}
