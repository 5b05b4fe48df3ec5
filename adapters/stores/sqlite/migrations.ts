import type { DatabaseSync } from 'node:sqlite';
import { TollgateError } from '../../../contracts/failures.ts';
import { APPEND_ONLY, grantTables } from '../grant-tables.ts';
import { endedSessionTables } from '../ended-sessions.ts';
import { feedbackTables } from '../feedback.ts';
import { notificationTables } from '../notification-sql.ts';
import { repairTables } from '../repair-tables.ts';
import { quotaTables } from '../quota-tables.ts';
import { sqliteFeedbackQueue, sqliteTraceTriggers, traceTables } from '../trace-tables.ts';

/** Oldest first. A released one is never changed; the file's `user_version` counts those applied. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    agent_run_id TEXT NOT NULL,
    first_execution_run_id TEXT NOT NULL,
    task TEXT NOT NULL,
    tenant TEXT NOT NULL,
    feature TEXT NOT NULL,
    requester TEXT NOT NULL,
    snapshot_digest TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    end_json TEXT,
    status TEXT NOT NULL,
    steps INTEGER NOT NULL DEFAULT 0,
    parents_json TEXT NOT NULL,
    UNIQUE (agent_run_id, first_execution_run_id)
  ) STRICT;
  CREATE INDEX runs_by_status ON runs (status, id);

  CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('run', 'tenant', 'feature')),
    scope_key TEXT NOT NULL,
    limit_nano_usd INTEGER NOT NULL CHECK (limit_nano_usd >= 0),
    settled_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (settled_nano_usd >= 0),
    held_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (held_nano_usd >= 0),
    written_off_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (written_off_nano_usd >= 0),
    overrun_nano_usd INTEGER NOT NULL DEFAULT 0 CHECK (overrun_nano_usd >= 0),
    UNIQUE (kind, scope_key)
  ) STRICT;

  CREATE TABLE run_scopes (
    run INTEGER NOT NULL REFERENCES runs (id),
    scope INTEGER NOT NULL REFERENCES scopes (id),
    kind TEXT NOT NULL,
    PRIMARY KEY (run, scope)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    attempt_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    mode TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    request_digest TEXT NOT NULL,
    head_json TEXT NOT NULL,
    reserved_nano_usd INTEGER NOT NULL,
    set_aside_nano_usd INTEGER NOT NULL,
    dispatch_deadline_ms INTEGER NOT NULL,
    money_status TEXT NOT NULL,
    settled_nano_usd INTEGER,
    outcome_json TEXT,
    reply_json TEXT,
    usage_json TEXT,
    response_id TEXT,
    reserved_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    write_off_reason TEXT,
    UNIQUE (run, attempt_id)
  ) STRICT;
  CREATE INDEX attempts_by_step ON attempts (run, step, request_digest);

  CREATE TABLE attempt_scopes (
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    scope INTEGER NOT NULL REFERENCES scopes (id),
    PRIMARY KEY (attempt, scope)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE contents (digest TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE nodes (
    run INTEGER NOT NULL REFERENCES runs (id),
    node_id TEXT NOT NULL,
    message_json TEXT NOT NULL,
    PRIMARY KEY (run, node_id)
  ) STRICT;

  CREATE TABLE tool_calls (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    call_key TEXT NOT NULL,
    attempt_id TEXT NOT NULL,
    call_index INTEGER NOT NULL,
    tool TEXT NOT NULL,
    tool_version TEXT NOT NULL,
    effect TEXT NOT NULL,
    arguments_digest TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    approval_id TEXT,
    occurrence INTEGER NOT NULL,
    dispatch_deadline_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    result_json TEXT,
    is_error INTEGER NOT NULL DEFAULT 0,
    recorded_line INTEGER,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    UNIQUE (run, call_key)
  ) STRICT;
  CREATE INDEX tool_calls_by_action ON tool_calls (run, tool, arguments_digest);
  CREATE UNIQUE INDEX tool_calls_by_recorded_line ON tool_calls (run, recorded_line) WHERE recorded_line IS NOT NULL;

  CREATE TABLE gates (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    approval_id TEXT NOT NULL,
    status TEXT NOT NULL,
    gate_json TEXT NOT NULL,
    UNIQUE (run, approval_id)
  ) STRICT;
  CREATE INDEX gates_by_status ON gates (status, id);
  CREATE INDEX gates_by_approval_id ON gates (approval_id);

  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER REFERENCES runs (id),
    at_ms INTEGER NOT NULL,
    type TEXT NOT NULL,
    actor TEXT NOT NULL,
    data_json TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_by_run ON audit (run, sequence);
  `,
  // A run may answer from several recordings; one approval permits one action; nobody rewrites the audit.
  `
  ALTER TABLE tool_calls ADD COLUMN recording TEXT NOT NULL DEFAULT '';
  DROP INDEX tool_calls_by_recorded_line;
  CREATE UNIQUE INDEX tool_calls_by_recorded_line ON tool_calls (run, recording, recorded_line) WHERE recorded_line IS NOT NULL;
  CREATE UNIQUE INDEX tool_calls_by_approval ON tool_calls (run, approval_id) WHERE approval_id IS NOT NULL;
  CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  CREATE TRIGGER audit_keeps_contents BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  `,
  `
  CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes_json TEXT NOT NULL,
    roles_json TEXT NOT NULL,
    tenant TEXT,
    secret_digest TEXT NOT NULL UNIQUE,
    created_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER
  ) STRICT;
  `,
  'ALTER TABLE attempts ADD COLUMN provider_request_id TEXT;',
  `
  CREATE TABLE keys (
    id INTEGER PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    wrapped TEXT,
    created_at_ms INTEGER NOT NULL,
    destroyed_at_ms INTEGER,
    UNIQUE (kind, tenant, name, version)
  ) STRICT;
  `,
  // Money that is open, across runs; what overruns have taught. A partial index has a row only as long as money is held.
  `
  CREATE INDEX attempts_held ON attempts (id) WHERE money_status = 'held';
  CREATE INDEX attempts_written_off ON attempts (id) WHERE money_status = 'writtenOff';
  ALTER TABLE attempts ADD COLUMN overrun_nano_usd INTEGER NOT NULL DEFAULT 0;
  UPDATE attempts SET overrun_nano_usd = settled_nano_usd - reserved_nano_usd WHERE settled_nano_usd > reserved_nano_usd;
  CREATE INDEX attempts_overrun ON attempts (id) WHERE overrun_nano_usd > 0;
  CREATE INDEX attempts_by_id ON attempts (attempt_id);
  CREATE TABLE attempt_lookups (
    attempt INTEGER PRIMARY KEY REFERENCES attempts (id),
    looked_at_ms INTEGER NOT NULL,
    looks INTEGER NOT NULL,
    next_at_ms INTEGER NOT NULL,
    answer TEXT NOT NULL
  ) STRICT;
  CREATE TABLE bound_factors (
    id INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    per_mille INTEGER NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX bound_factors_by_model ON bound_factors (model, endpoint, id);
  `,
  quotaTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT', link: ' STRICT, WITHOUT ROWID' }),
  `
  CREATE TABLE vault (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs (id),
    token TEXT NOT NULL,
    type TEXT NOT NULL,
    value_hash TEXT NOT NULL,
    sealed TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (run, token),
    UNIQUE (run, value_hash)
  ) STRICT;

  CREATE TABLE redaction_counts (
    run INTEGER NOT NULL REFERENCES runs (id),
    place TEXT NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    occurrences INTEGER NOT NULL,
    PRIMARY KEY (run, place, type, action)
  ) STRICT, WITHOUT ROWID;
  `,
  // A content that only one run has goes with it; a run may be about a person, whom a keyed hash names.
  `
  ALTER TABLE contents ADD COLUMN run INTEGER REFERENCES runs (id);
  CREATE INDEX contents_by_run ON contents (run) WHERE run IS NOT NULL;
  ALTER TABLE runs ADD COLUMN subject TEXT;
  CREATE INDEX runs_by_subject ON runs (tenant, subject) WHERE subject IS NOT NULL;
  CREATE INDEX runs_by_tenant ON runs (tenant, id);
  ALTER TABLE runs ADD COLUMN transcripts_removed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN journals_removed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN vault_removed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE runs ADD COLUMN audit_removed INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX runs_by_end ON runs (ended_at_ms, id) WHERE ended_at_ms IS NOT NULL;
  `,
  // A recording goes with the last run whose task has it. Whether a run waits is asked for each run of a list.
  `
  CREATE INDEX runs_by_snapshot ON runs (snapshot_digest) WHERE transcripts_removed = 0;
  CREATE INDEX gates_open_by_run ON gates (run) WHERE status = 'open';
  `,
  // What was spent in the last days is summed without looking at the years before.
  `
  CREATE INDEX attempts_by_time ON attempts (reserved_at_ms);
  CREATE INDEX runs_by_start ON runs (started_at_ms);
  `,
  `${traceTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT' })}${sqliteTraceTriggers()}`,
  `${grantTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT' })}
  ${APPEND_ONLY.map(
    (table) => `
  CREATE TRIGGER ${table}_keeps_rows BEFORE DELETE ON ${table} BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;
  CREATE TRIGGER ${table}_keeps_contents BEFORE UPDATE ON ${table} BEGIN SELECT RAISE(ABORT, '${table} is append-only'); END;`,
  ).join('')}
  `,
  feedbackTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT' }),
  // Audit rows are chained; those of before stay outside until an anchor takes them in. Contents can go, nothing else.
  `
  CREATE TABLE audit_heads (
    id INTEGER PRIMARY KEY,
    chain TEXT NOT NULL UNIQUE,
    run INTEGER REFERENCES runs (id),
    tenant TEXT,
    sequence INTEGER NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    anchored_sequence INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX audit_heads_to_anchor ON audit_heads (id) WHERE sequence > anchored_sequence;
  CREATE INDEX audit_heads_by_run ON audit_heads (run) WHERE run IS NOT NULL;
  CREATE INDEX audit_heads_by_tenant ON audit_heads (tenant, id);
  ALTER TABLE audit ADD COLUMN head INTEGER REFERENCES audit_heads (id);
  ALTER TABLE audit ADD COLUMN chain_sequence INTEGER;
  ALTER TABLE audit ADD COLUMN previous_hash TEXT;
  ALTER TABLE audit ADD COLUMN hash TEXT;
  ALTER TABLE audit ADD COLUMN data_digest TEXT;
  ALTER TABLE audit ADD COLUMN salt TEXT;
  CREATE UNIQUE INDEX audit_by_chain ON audit (head, chain_sequence) WHERE head IS NOT NULL;
  CREATE INDEX audit_unchained ON audit (sequence) WHERE head IS NULL;
  DROP TRIGGER audit_keeps_contents;
  CREATE TRIGGER audit_keeps_contents BEFORE UPDATE ON audit
    WHEN OLD.salt IS NULL OR NEW.salt IS NOT NULL OR NEW.data_json <> '"[erased]"' OR OLD.sequence <> NEW.sequence OR OLD.run IS NOT NEW.run
      OR OLD.at_ms <> NEW.at_ms OR OLD.type <> NEW.type OR OLD.actor <> NEW.actor OR OLD.head IS NOT NEW.head
      OR OLD.chain_sequence IS NOT NEW.chain_sequence OR OLD.previous_hash IS NOT NEW.previous_hash OR OLD.hash IS NOT NEW.hash
      OR OLD.data_digest IS NOT NEW.data_digest
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  `,
  notificationTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT' }),
  // A logout holds for every process of the API.
  endedSessionTables({ integer: 'INTEGER', table: ' STRICT' }),
  sqliteFeedbackQueue(),
  repairTables({ integer: 'INTEGER', id: 'INTEGER PRIMARY KEY AUTOINCREMENT', table: ' STRICT' }),
];

/** Brings the file up to this version, inside the caller's transaction; answers from and to which. @throws TollgateError where a newer Tollgate wrote it. */
export function migrate(database: DatabaseSync, path: string): { readonly from: number; readonly to: number } {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (version > MIGRATIONS.length)
    throw new TollgateError(
      'storeUnavailable',
      `The store ${path} has schema version ${version}; this Tollgate knows up to ${MIGRATIONS.length}. Use the newer Tollgate that wrote it.`,
    );
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  if (version < MIGRATIONS.length) database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  return { from: version, to: MIGRATIONS.length };
}
