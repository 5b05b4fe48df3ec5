/** SQL that reads the same in SQLite and Postgres. `:now` is the store's time. */

const HAS_OPEN_GATE = "EXISTS (SELECT 1 FROM gates WHERE gates.run = runs.id AND gates.status = 'open')";
export const SHOWN_STATUS = `CASE WHEN runs.status = 'running' AND ${HAS_OPEN_GATE} THEN 'awaitingApproval' ELSE runs.status END`;
/** Until the end says how many there were: the steps that have a reply. */
const SHOWN_STEPS = `CASE WHEN runs.end_json IS NOT NULL THEN runs.steps
  ELSE (SELECT COUNT(DISTINCT step) FROM attempts WHERE attempts.run = runs.id AND outcome_json = '{"type":"reply"}') END`;
const RUN_COLUMNS = [
  ...['agent_run_id', 'first_execution_run_id', 'task', 'tenant', 'feature', 'requester', 'snapshot_digest', 'parents_json'],
  ...['started_at_ms', 'ended_at_ms', 'end_json'],
].map((column) => `runs.${column}`);
export const SELECT_RUN = `SELECT ${RUN_COLUMNS.join(', ')}, ${SHOWN_STATUS} AS shown_status, ${SHOWN_STEPS} AS shown_steps, scopes.limit_nano_usd
  FROM runs JOIN scopes ON scopes.kind = 'run' AND scopes.scope_key = runs.agent_run_id || '/' || runs.first_execution_run_id`;

/** The row of `:agentRunId` and `:firstExecutionRunId`. */
export const RUN_ROW = '(SELECT id FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId)';

const ATTEMPT_VALUES = `step, ordinal, mode, model, provider, endpoint, request_digest, head_json,
    reserved_nano_usd, set_aside_nano_usd, dispatch_deadline_ms`;
/** Named one by one: a `*` would change under the statements that older workers have prepared. */
export const ATTEMPT_COLUMNS = `id, attempt_id, ${ATTEMPT_VALUES}, money_status, settled_nano_usd, outcome_json, reply_json, usage_json,
    response_id, provider_request_id, reserved_at_ms, ended_at_ms, write_off_reason`;
export const INSERT_ATTEMPT = `
  INSERT INTO attempts (run, attempt_id, ${ATTEMPT_VALUES}, money_status, reserved_at_ms)
  VALUES (:run, :attemptId, :step, :ordinal, :mode, :model, :provider, :endpoint, :requestDigest, :head,
    :reserved, :setAside, :dispatchDeadlineMs, 'held', :now)
  ON CONFLICT DO NOTHING`;

/** What a transcript may contain already is never replaced: the first reply stays, and the first usage. */
export const SET_OUTCOME = `outcome_json = coalesce(outcome_json, :outcome), reply_json = coalesce(reply_json, :reply),
       usage_json = coalesce(usage_json, :usage), provider_request_id = coalesce(provider_request_id, :providerRequestId),
       ended_at_ms = coalesce(ended_at_ms, :now)`;

const CALL_VALUES = `call_key, attempt_id, call_index, tool, tool_version, effect, arguments_digest, idempotency_key,
    approval_id, occurrence, dispatch_deadline_ms`;
export const CALL_COLUMNS = `id, ${CALL_VALUES}, status, result_json, is_error, recorded_line, started_at_ms, ended_at_ms`;
export const INSERT_CALL = `
  INSERT INTO tool_calls (run, ${CALL_VALUES}, status, started_at_ms)
  VALUES (:run, :callKey, :attemptId, :callIndex, :tool, :toolVersion, :effect, :argumentsDigest, :idempotencyKey,
    :approvalId, :occurrence, :dispatchDeadlineMs, 'intent', :now)`;

/** The audit entry that a restore leaves. */
export const RESTORED = 'store.restored';
export const SELECT_LAST_RESTORED = `SELECT max(at_ms) AS at_ms FROM audit WHERE type = '${RESTORED}'`;
export const SELECT_AUDIT = `SELECT audit.sequence, audit.at_ms, audit.type, audit.actor, audit.data_json, runs.agent_run_id, runs.first_execution_run_id
  FROM audit LEFT JOIN runs ON runs.id = audit.run`;

const KEY_VALUES = 'key_id, kind, tenant, name, version, wrapped';
const SELECT_KEY = `SELECT ${KEY_VALUES}, created_at_ms, destroyed_at_ms FROM keys`;
const SAME_KEY = 'kind = :kind AND tenant = :tenant AND name = :name';
export const INSERT_KEY = `INSERT INTO keys (${KEY_VALUES}, created_at_ms)
  VALUES (:keyId, :kind, :tenant, :name, :version, :wrapped, :now) ON CONFLICT (kind, tenant, name, version) DO NOTHING`;
export const SELECT_KEY_BY_ID = `${SELECT_KEY} WHERE key_id = :keyId`;
export const SELECT_KEY_VERSION = `${SELECT_KEY} WHERE ${SAME_KEY} AND version = :version`;
export const SELECT_KEY_VERSIONS = `${SELECT_KEY} WHERE ${SAME_KEY} ORDER BY version`;
export const SELECT_TENANT_KEYS = `${SELECT_KEY} WHERE kind = 'tenant' AND destroyed_at_ms IS NULL AND key_id > :afterKeyId ORDER BY key_id LIMIT :limit`;
export const REWRAP_KEY = 'UPDATE keys SET wrapped = :wrapped WHERE key_id = :keyId AND destroyed_at_ms IS NULL';
/** Whole tenants, one kind, or one key; `:kind` and `:name` null for all. */
export const DESTROY_KEYS = `UPDATE keys SET wrapped = NULL, destroyed_at_ms = :now
  WHERE tenant = :tenant AND kind = coalesce(:kind, kind) AND name = coalesce(:name, name) AND destroyed_at_ms IS NULL`;

const VAULT_COLUMNS = 'id, token, type, value_hash, sealed';
export const SELECT_VAULT = `SELECT ${VAULT_COLUMNS} FROM vault WHERE run = :run AND id > :after ORDER BY id`;
export const SELECT_VAULT_RIVAL = 'SELECT token, value_hash FROM vault WHERE run = :run AND (token = :token OR value_hash = :valueHash)';
export const INSERT_VAULT = `INSERT INTO vault (run, token, type, value_hash, sealed, created_at_ms)
  VALUES (:run, :token, :type, :valueHash, :sealed, :now)`;
export const ADD_REDACTION_COUNT = `INSERT INTO redaction_counts (run, place, type, action, occurrences)
  VALUES (:run, :place, :type, :action, :count)
  ON CONFLICT (run, place, type, action) DO UPDATE SET occurrences = redaction_counts.occurrences + excluded.occurrences`;
export const SELECT_RUN_REDACTIONS = 'SELECT place, type, action, occurrences FROM redaction_counts WHERE run = :run ORDER BY place, type, action';
export const SELECT_TENANT_REDACTIONS = `SELECT place, type, action, CAST(sum(occurrences) AS BIGINT) AS occurrences
  FROM redaction_counts JOIN runs ON runs.id = redaction_counts.run WHERE runs.tenant = :tenant
  GROUP BY place, type, action ORDER BY place, type, action`;
