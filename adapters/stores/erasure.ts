import type { DataClass, ErasableRun, ErasureFilter, StoredResponse } from '../../domain/erasure/store-port.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import { integer, integerOrNull, type Row, text } from './rows.ts';

/** What both stores need to remove what was said, in SQL that reads the same in both. */

const ERASED_REPLY = '{"text":"[erased]","refusal": null,"toolCalls":[],"finishReason":"stop","responseId": null,"responseModel": null,"serviceTier": null}';
const REMOVED: Readonly<Record<DataClass, string>> = {
  transcripts: 'transcripts_removed',
  journals: 'journals_removed',
  vault: 'vault_removed',
  audit: 'audit_removed',
};

/** What differs: setting fields of a JSON text. */
export interface JsonSql {
  /** An expression for `column` with the fields of `changes` (a JSON object as a literal) in place of its own. */
  merge(column: string, changes: string): string;
  /** Whether a text is in a content's body. */
  contains(body: string, part: string): string;
}

/** The recordings of the run's task, where no other run has them that still has what was said. */
function deleteRecordings({ contains }: JsonSql): string {
  const names = contains('task.body', `'"contentDigest":"' || contents.digest || '"'`);
  return `DELETE FROM contents WHERE contents.run IS NULL
    AND EXISTS (SELECT 1 FROM contents AS task WHERE task.digest = (SELECT snapshot_digest FROM runs WHERE id = :run) AND ${names})
    AND NOT EXISTS (SELECT 1 FROM contents AS task WHERE task.run IS NULL AND ${names}
      AND EXISTS (SELECT 1 FROM runs WHERE runs.snapshot_digest = task.digest AND runs.transcripts_removed = 0 AND runs.id <> :run))`;
}

/** The statements that remove one class of data of the run `:run`, and remember that. */
export function erasingStatements(dataClass: DataClass, sql: JsonSql, keepResponseIds: boolean): readonly string[] {
  const remember = `UPDATE runs SET ${REMOVED[dataClass]} = 1 WHERE id = :run`;
  const failed = sql.merge('outcome_json', `'{"message":"[erased]"}'`);
  const gate = sql.merge('gate_json', `'{"arguments":"[erased]","reason":"[erased]","votes":[],"spentDecisions":[],"edits":[],"questions":[],"claim": null}'`);
  switch (dataClass) {
    case 'transcripts':
      return [
        // A reset must not go on from a transcript with holes: without its nodes it is missing, and nothing is sent.
        'DELETE FROM nodes WHERE run = :run',
        `UPDATE attempts SET reply_json = '${ERASED_REPLY}' WHERE run = :run AND reply_json IS NOT NULL`,
        `UPDATE attempts SET outcome_json = ${failed} WHERE run = :run AND outcome_json IS NOT NULL AND outcome_json <> '{"type":"reply"}'`,
        `UPDATE attempt_lookups SET answer = '[erased]' WHERE attempt IN (SELECT id FROM attempts WHERE run = :run)`,
        `UPDATE skips SET message = '[erased]' WHERE run = :run`,
        `UPDATE attempts SET request_digest = 'erased' WHERE run = :run`,
        ...(keepResponseIds ? [] : ['UPDATE attempts SET response_id = NULL WHERE run = :run']),
        'DELETE FROM contents WHERE run = :run',
        `UPDATE feedback SET comment = '[erased]' WHERE run = :run AND comment IS NOT NULL`,
        `UPDATE repairs SET reason = '[erased]' WHERE run = :run`,
        deleteRecordings(sql),
        `UPDATE runs SET end_json = ${sql.merge('end_json', `'{"message":"[erased]"}'`)}, subject = NULL WHERE id = :run AND end_json IS NOT NULL`,
        ...(keepResponseIds ? [] : [remember]),
      ];
    case 'journals':
      return [
        `UPDATE tool_calls SET result_json = '"[erased]"' WHERE run = :run AND result_json IS NOT NULL`,
        `UPDATE tool_calls SET arguments_digest = 'erased' WHERE run = :run`,
        `UPDATE gates SET gate_json = ${gate} WHERE run = :run`,
        'DELETE FROM notifications WHERE run = :run',
        remember,
      ];
    case 'vault':
      return ['DELETE FROM vault WHERE run = :run', remember];
    case 'audit':
      // Facts have no salt, and stay.
      return [`UPDATE audit SET data_json = '"[erased]"', salt = NULL WHERE run = :run AND salt IS NOT NULL`, remember];
  }
}

/** Rows of the run's audit whose contents an erasure removes. */
export const COUNT_ERASABLE_AUDIT = `SELECT count(*) AS erasable FROM audit WHERE run = :run AND salt IS NOT NULL`;

/** Selects the runs of a filter; parameters by name. */
export function selectErasable({ tenant, agentRunId, person, endedBeforeMs, notRemoved, after, limit }: ErasureFilter) {
  const conditions = [
    `(${notRemoved.map((dataClass) => `${REMOVED[dataClass]} = 0`).join(' OR ')})`,
    ...(tenant === undefined ? [] : ['tenant = :tenant']),
    ...(agentRunId === undefined ? [] : ['agent_run_id = :agentRunId']),
    ...(person ? ['(subject = :subject OR id IN (SELECT run FROM vault WHERE value_hash = :valueHash))'] : []),
    ...(endedBeforeMs === undefined ? [] : ['ended_at_ms < :endedBeforeMs']),
    ...(after === undefined ? [] : ['id > :after']),
  ];
  const given = { tenant, agentRunId, ...person, endedBeforeMs, after };
  const parameters = { ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Record<string, string | number>), limit };
  const columns = 'id, agent_run_id, first_execution_run_id, tenant, started_at_ms, ended_at_ms';
  return { sql: `SELECT ${columns} FROM runs WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT :limit`, parameters };
}

export const SELECT_STORED_RESPONSES = `SELECT endpoint, response_id, money_status FROM attempts WHERE run = :run AND response_id IS NOT NULL ORDER BY id`;

export function toStoredResponse(row: Row): StoredResponse {
  return { endpoint: text(row, 'endpoint'), responseId: text(row, 'response_id'), isHeld: text(row, 'money_status') === 'held' };
}

export function toErasableRun(row: Row): ErasableRun {
  return {
    position: integer(row, 'id'),
    runKey: { agentRunId: text(row, 'agent_run_id') as AgentRunId, firstExecutionRunId: text(row, 'first_execution_run_id') },
    tenant: text(row, 'tenant'),
    startedAtMs: integer(row, 'started_at_ms'),
    endedAtMs: integerOrNull(row, 'ended_at_ms'),
  };
}
