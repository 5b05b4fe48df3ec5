/** Migration 1. Everything is keyed by the run's row, which stands for (agent_run_id, first_execution_run_id). */
export const INITIAL_SCHEMA = `
CREATE TABLE runs (
  run_row INTEGER PRIMARY KEY,
  agent_run_id TEXT NOT NULL,
  first_execution_run_id TEXT NOT NULL,
  task TEXT NOT NULL,
  tenant TEXT NOT NULL,
  feature TEXT NOT NULL,
  requester TEXT NOT NULL,
  snapshot_digest TEXT NOT NULL,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  end_status TEXT,
  end_json TEXT,
  steps INTEGER NOT NULL DEFAULT 0,
  UNIQUE (agent_run_id, first_execution_run_id),
  CHECK ((end_json IS NULL) = (ended_at_ms IS NULL) AND (end_json IS NULL) = (end_status IS NULL))
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at_ms);

CREATE TABLE run_parents (
  run_row INTEGER NOT NULL REFERENCES runs,
  distance INTEGER NOT NULL,
  parent_row INTEGER NOT NULL REFERENCES runs,
  PRIMARY KEY (run_row, distance),
  UNIQUE (run_row, parent_row)
) STRICT;

-- A run's own scope is its children's 'parent' scope. Tenants and features are bound only where they have a row here.
CREATE TABLE scopes (
  scope_row INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('run', 'tenant', 'feature')),
  scope_id TEXT NOT NULL,
  run_row INTEGER UNIQUE REFERENCES runs,
  limit_nano_usd INTEGER NOT NULL CHECK (limit_nano_usd >= 0),
  settled_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (settled_nano_usd >= 0),
  held_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (held_nano_usd >= 0),
  written_off_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (written_off_nano_usd >= 0),
  overrun_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (overrun_nano_usd >= 0),
  CHECK ((kind = 'run') = (run_row IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX scopes_by_name ON scopes (kind, scope_id) WHERE run_row IS NULL;

CREATE TABLE attempts (
  attempt_row INTEGER PRIMARY KEY,
  run_row INTEGER NOT NULL REFERENCES runs,
  attempt_id TEXT NOT NULL,
  step INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  mode TEXT NOT NULL CHECK (mode IN ('step', 'wrapUp')),
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  endpoint TEXT NOT NULL,
  request_digest TEXT NOT NULL,
  head_json TEXT NOT NULL,
  reserved_nano_usd INTEGER NOT NULL CHECK (reserved_nano_usd >= 0),
  set_aside_nano_usd INTEGER NOT NULL CHECK (set_aside_nano_usd >= 0),
  dispatch_deadline_ms INTEGER NOT NULL,
  reserved_at_ms INTEGER NOT NULL,
  money_status TEXT NOT NULL DEFAULT 'held' CHECK (money_status IN ('held', 'settled', 'released', 'writtenOff')),
  settled_nano_usd INTEGER CHECK (settled_nano_usd >= 0),
  write_off_reason TEXT,
  response_id TEXT,
  outcome_type TEXT,
  outcome_json TEXT,
  reply_json TEXT,
  usage_json TEXT,
  ended_at_ms INTEGER,
  UNIQUE (run_row, attempt_id),
  CHECK ((money_status = 'settled') = (settled_nano_usd IS NOT NULL)),
  CHECK (outcome_type IS NOT 'reply' OR reply_json IS NOT NULL)
) STRICT;
CREATE INDEX attempts_by_request ON attempts (run_row, step, ordinal, request_digest);

CREATE TABLE attempt_scopes (
  attempt_row INTEGER NOT NULL REFERENCES attempts,
  scope_row INTEGER NOT NULL REFERENCES scopes,
  PRIMARY KEY (attempt_row, scope_row)
) STRICT, WITHOUT ROWID;

CREATE TABLE contents (
  digest TEXT PRIMARY KEY,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE nodes (
  node_row INTEGER PRIMARY KEY,
  run_row INTEGER NOT NULL REFERENCES runs,
  node_id TEXT NOT NULL,
  message_json TEXT NOT NULL,
  UNIQUE (run_row, node_id)
) STRICT;

CREATE TABLE gates (
  gate_row INTEGER PRIMARY KEY,
  run_row INTEGER NOT NULL REFERENCES runs,
  approval_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'approved', 'consumed', 'denied', 'expired', 'withdrawn', 'superseded')),
  action_digest TEXT NOT NULL,
  tool TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  destination TEXT NOT NULL,
  arguments_json TEXT NOT NULL,
  occurrence INTEGER NOT NULL,
  policy_json TEXT NOT NULL,
  policy_version TEXT NOT NULL,
  reason TEXT NOT NULL,
  requester TEXT NOT NULL,
  attempt_id TEXT,
  call_index INTEGER,
  about_approval_id TEXT,
  votes_json TEXT NOT NULL,
  spent_json TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  decided_at_ms INTEGER,
  consumed_at_ms INTEGER,
  UNIQUE (run_row, approval_id)
) STRICT;
CREATE INDEX gates_by_approval ON gates (approval_id);
CREATE INDEX gates_by_status ON gates (status, created_at_ms);

CREATE TABLE tool_calls (
  call_row INTEGER PRIMARY KEY,
  run_row INTEGER NOT NULL REFERENCES runs,
  call_key TEXT NOT NULL,
  attempt_id TEXT NOT NULL,
  call_index INTEGER NOT NULL,
  tool TEXT NOT NULL,
  tool_version TEXT NOT NULL,
  effect TEXT NOT NULL CHECK (effect IN ('read', 'write', 'irreversible')),
  arguments_digest TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  approval_id TEXT,
  occurrence INTEGER NOT NULL,
  dispatch_deadline_ms INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'intent' CHECK (status IN ('intent', 'done', 'failed', 'inDoubt')),
  result_json TEXT,
  is_error INTEGER NOT NULL DEFAULT 0,
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  UNIQUE (run_row, call_key),
  CHECK (effect <> 'irreversible' OR approval_id IS NOT NULL)
) STRICT;
-- One approval, one action.
CREATE UNIQUE INDEX tool_calls_by_approval ON tool_calls (run_row, approval_id) WHERE approval_id IS NOT NULL;
CREATE INDEX tool_calls_by_action ON tool_calls (run_row, tool, arguments_digest);

CREATE TABLE recorded_claims (
  run_row INTEGER NOT NULL REFERENCES runs,
  recording TEXT NOT NULL,
  line INTEGER NOT NULL,
  call_key TEXT NOT NULL,
  PRIMARY KEY (run_row, recording, line),
  UNIQUE (run_row, call_key)
) STRICT;

CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL,
  agent_run_id TEXT,
  first_execution_run_id TEXT,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  data_json TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_run ON audit (agent_run_id, first_execution_run_id, sequence);
CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
`;
