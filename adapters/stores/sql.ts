/** SQL that reads the same in SQLite and Postgres. `:now` is the store's time. */

/** Candidates passed over that are kept of one run. */
export const MAX_SKIPS = 500;

const HAS_OPEN_GATE = "EXISTS (SELECT 1 FROM gates WHERE gates.run = runs.id AND gates.status = 'open')";
export const SHOWN_STATUS = `CASE WHEN runs.status = 'running' AND runs.paused_at_ms IS NOT NULL THEN 'paused' WHEN runs.status = 'running' AND ${HAS_OPEN_GATE} THEN 'awaitingApproval' ELSE runs.status END`;
/** Until the end says how many there were: the steps that have a reply. */
const SHOWN_STEPS = `CASE WHEN runs.end_json IS NOT NULL THEN runs.steps
  ELSE (SELECT COUNT(DISTINCT step) FROM attempts WHERE attempts.run = runs.id AND outcome_json = '{"type":"reply"}') END`;
const RUN_COLUMNS = [
  ...['agent_run_id', 'first_execution_run_id', 'task', 'tenant', 'feature', 'requester', 'snapshot_digest', 'parents_json', 'traceparent'],
  ...['started_at_ms', 'ended_at_ms', 'end_json'],
].map((column) => `runs.${column}`);
export const SELECT_RUN = `SELECT ${RUN_COLUMNS.join(', ')}, ${SHOWN_STATUS} AS shown_status, ${SHOWN_STEPS} AS shown_steps, scopes.limit_nano_usd
  FROM runs JOIN scopes ON scopes.kind = 'run' AND scopes.scope_key = runs.agent_run_id || '/' || runs.first_execution_run_id`;

/** The row of `:agentRunId` and `:firstExecutionRunId`. */
export const RUN_ROW = '(SELECT id FROM runs WHERE agent_run_id = :agentRunId AND first_execution_run_id = :firstExecutionRunId)';

const ATTEMPT_VALUES = `step, ordinal, mode, model, provider, endpoint, request_digest, head_json,
    reserved_nano_usd, set_aside_nano_usd, reserved_tokens, set_aside_tokens, dispatch_deadline_ms`;
/** Named one by one: a `*` would change under the statements that older workers have prepared. */
export const ATTEMPT_COLUMNS = `id, attempt_id, ${ATTEMPT_VALUES}, money_status, settled_nano_usd, outcome_json, reply_json, usage_json,
    response_id, provider_request_id, reserved_at_ms, ended_at_ms, write_off_reason, meter_scopes`;
export const INSERT_ATTEMPT = `
  INSERT INTO attempts (run, attempt_id, ${ATTEMPT_VALUES}, money_status, reserved_at_ms, meter_scopes)
  VALUES (:run, :attemptId, :step, :ordinal, :mode, :model, :provider, :endpoint, :requestDigest, :head,
    :reserved, :setAside, :reservedTokens, :setAsideTokens, :dispatchDeadlineMs, 'held', :now, :meterScopes)
  ON CONFLICT DO NOTHING`;

/** What a transcript may contain already is never replaced: the first reply stays, and the first usage. */
export const SET_OUTCOME = `outcome_json = coalesce(outcome_json, :outcome), reply_json = coalesce(reply_json, :reply),
       usage_json = coalesce(usage_json, :usage), provider_request_id = coalesce(provider_request_id, :providerRequestId),
       ended_at_ms = coalesce(ended_at_ms, :now)`;

/** What is told with a move of money: the first usage stays. */
export const SET_MOVE = 'write_off_reason = coalesce(:reason, write_off_reason), usage_json = coalesce(usage_json, :usage)';

const CALL_VALUES = `call_key, attempt_id, call_index, tool, tool_version, effect, arguments_digest, idempotency_key,
    approval_id, occurrence, dispatch_deadline_ms`;
export const CALL_COLUMNS = `id, ${CALL_VALUES}, status, result_json, is_error, recorded_line, started_at_ms, ended_at_ms`;
export const INSERT_CALL = `
  INSERT INTO tool_calls (run, ${CALL_VALUES}, status, started_at_ms)
  VALUES (:run, :callKey, :attemptId, :callIndex, :tool, :toolVersion, :effect, :argumentsDigest, :idempotencyKey,
    :approvalId, :occurrence, :dispatchDeadlineMs, 'intent', :now - :tookMs)`;

/** The audit entry that a restore leaves. */
export const RESTORED = 'store.restored';
export const SELECT_LAST_RESTORED = `SELECT max(at_ms) AS at_ms FROM audit WHERE type = '${RESTORED}'`;
export const SELECT_AUDIT = `SELECT audit.sequence, audit.at_ms, audit.type, audit.actor, audit.data_json, runs.agent_run_id, runs.first_execution_run_id,
    audit.chain_sequence, audit.previous_hash, audit.hash, audit.data_digest, audit.salt, audit_heads.chain, audit_heads.tenant AS chain_tenant
  FROM audit LEFT JOIN runs ON runs.id = audit.run LEFT JOIN audit_heads ON audit_heads.id = audit.head`;

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
const QUALIFIED_ATTEMPT = ATTEMPT_COLUMNS.split(',').map((column) => `attempts.${column.trim()}`);
/** An attempt with what reconciliation needs of its run, and what was last answered about it. */
export const SELECT_HELD = `SELECT ${QUALIFIED_ATTEMPT.join(', ')}, runs.agent_run_id, runs.first_execution_run_id, runs.tenant, runs.task, runs.snapshot_digest, runs.ended_at_ms AS run_ended_at_ms,
    attempt_lookups.looked_at_ms, attempt_lookups.looks, attempt_lookups.next_at_ms, attempt_lookups.answer
  FROM attempts JOIN runs ON runs.id = attempts.run LEFT JOIN attempt_lookups ON attempt_lookups.attempt = attempts.id`;
export const PUT_LOOKUP = `INSERT INTO attempt_lookups (attempt, looked_at_ms, looks, next_at_ms, answer) VALUES (:attempt, :lookedAt, :looks, :nextAt, :answer)
  ON CONFLICT (attempt) DO UPDATE SET looked_at_ms = excluded.looked_at_ms, looks = excluded.looks, next_at_ms = excluded.next_at_ms, answer = excluded.answer`;

/** Held, written off, beyond the bound: each by its partial index, so the states stand here as literals. */
export function selectOpenMoney(ofTenant: boolean): string {
  const from = ofTenant ? 'FROM attempts JOIN runs ON runs.id = attempts.run AND runs.tenant = :tenant' : 'FROM attempts';
  const part = (name: string, amount: string, where: string) =>
    `(SELECT count(*) ${from} WHERE ${where}) AS ${name}_attempts, (SELECT coalesce(sum(${amount}), 0) ${from} WHERE ${where}) AS ${name}_nano_usd`;
  return `SELECT ${part('held', 'attempts.reserved_nano_usd', "attempts.money_status = 'held'")},
    (SELECT min(attempts.reserved_at_ms) ${from} WHERE attempts.money_status = 'held') AS oldest_reserved_at_ms,
    ${part('written_off', 'attempts.reserved_nano_usd', "attempts.money_status = 'writtenOff'")},
    ${part('overrun', 'attempts.overrun_nano_usd', 'attempts.overrun_nano_usd > 0')}`;
}

/** Rows of a model's bound at an endpoint since it was last reset; a reset is a row of 1000. */
const SINCE_RESET = `id > coalesce((SELECT max(id) FROM bound_factors AS reset WHERE reset.model = factors.model AND reset.endpoint = factors.endpoint AND reset.per_mille = 1000), 0)`;
export const SELECT_BOUND = `SELECT coalesce(max(per_mille), 1000) AS per_mille FROM bound_factors AS factors WHERE model = :model AND endpoint = :endpoint AND ${SINCE_RESET}`;
/** The factor that a reservation of that moment was made with. */
export const SELECT_BOUND_AT = `${SELECT_BOUND} AND at_ms <= :at`;
export const INSERT_BOUND = 'INSERT INTO bound_factors (model, endpoint, per_mille, at_ms) VALUES (:model, :endpoint, :perMille, :now)';
export const SELECT_BOUNDS = `SELECT model, endpoint, max(per_mille) AS per_mille, count(*) AS raises, max(at_ms) AS at_ms FROM bound_factors AS factors
  WHERE ${SINCE_RESET} GROUP BY model, endpoint ORDER BY model, endpoint LIMIT :limit`;
export const QUOTA_COLUMNS = 'quotas.id, quotas.tenant, quotas.feature, quotas.per, quotas.unit, quotas.limit_amount, quotas.source, quotas.set_at_ms';
/** A quota whose tenant or feature is the empty text is for all of them. */
export const QUOTA_MATCHES = "quotas.tenant IN (runs.tenant, '*', '') AND quotas.feature IN (runs.feature, '')";
/** What a command set, the configuration leaves alone. */
export const UPSERT_QUOTA = `
  INSERT INTO quotas (tenant, feature, per, unit, limit_amount, source, set_at_ms) VALUES (:tenant, :feature, :per, :unit, :limit, :source, :now)
  ON CONFLICT (tenant, feature, per, unit) DO UPDATE SET limit_amount = excluded.limit_amount, source = excluded.source, set_at_ms = excluded.set_at_ms
  WHERE quotas.source = 'config' OR excluded.source = 'command'`;
export const WINDOW_COLUMNS = 'scope_key, limit_nano_usd, settled_nano_usd, held_nano_usd, written_off_nano_usd, overrun_nano_usd, starts_at_ms, ends_at_ms';
/** A run that waits for days is passed over again and again: the first ones are enough to see why. */
export const INSERT_SKIP = `INSERT INTO skips (run, attempt_id, step, ordinal, model, reason, message, at_ms)
  SELECT :run, :attemptId, :step, :ordinal, :model, :reason, :message, :now
  WHERE (SELECT count(*) FROM skips WHERE run = :run) < ${MAX_SKIPS} ON CONFLICT DO NOTHING`;

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
