/**
 * Tables of quotas and limits in tokens (scopes beside those of the runs' money, named by the attempts that drew on them), of
 * breakers, and of candidates passed over: the same in both stores but for the names of types.
 */
export function quotaTables({
  integer,
  id,
  table,
  link,
}: {
  readonly integer: string;
  readonly id: string;
  readonly table: string;
  readonly link: string;
}): string {
  return `
  ALTER TABLE scopes ADD COLUMN unit TEXT NOT NULL DEFAULT 'nanoUsd';
  ALTER TABLE scopes ADD COLUMN set_aside ${integer} NOT NULL DEFAULT 0;
  ALTER TABLE scopes ADD COLUMN quota ${integer};
  ALTER TABLE scopes ADD COLUMN starts_at_ms ${integer};
  ALTER TABLE scopes ADD COLUMN ends_at_ms ${integer};
  ALTER TABLE scopes ADD COLUMN kept_until_ms ${integer};
  CREATE INDEX scopes_by_quota ON scopes (quota, starts_at_ms) WHERE quota IS NOT NULL;
  CREATE INDEX scopes_by_end ON scopes (kept_until_ms) WHERE kept_until_ms IS NOT NULL;
  ALTER TABLE attempts ADD COLUMN reserved_tokens ${integer} NOT NULL DEFAULT 0;
  ALTER TABLE attempts ADD COLUMN set_aside_tokens ${integer} NOT NULL DEFAULT 0;
  ALTER TABLE attempts ADD COLUMN meter_scopes TEXT;

  CREATE TABLE run_meters (
    run ${integer} NOT NULL REFERENCES runs (id),
    scope ${integer} NOT NULL REFERENCES scopes (id),
    kind TEXT NOT NULL,
    PRIMARY KEY (run, scope)
  )${link};

  CREATE TABLE quotas (
    id ${id},
    tenant TEXT NOT NULL,
    feature TEXT NOT NULL,
    per TEXT NOT NULL,
    unit TEXT NOT NULL,
    limit_amount ${integer} NOT NULL CHECK (limit_amount >= 0),
    source TEXT NOT NULL,
    set_at_ms ${integer} NOT NULL,
    UNIQUE (tenant, feature, per, unit)
  )${table};

  CREATE TABLE skips (
    run ${integer} NOT NULL REFERENCES runs (id),
    attempt_id TEXT NOT NULL,
    step ${integer} NOT NULL,
    ordinal ${integer} NOT NULL,
    model TEXT NOT NULL,
    reason TEXT NOT NULL,
    message TEXT NOT NULL,
    at_ms ${integer} NOT NULL,
    PRIMARY KEY (run, attempt_id)
  )${link};

  CREATE TABLE breakers (
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    state_json TEXT NOT NULL,
    changed_at_ms ${integer} NOT NULL,
    PRIMARY KEY (endpoint, model)
  )${link};
  `;
}
