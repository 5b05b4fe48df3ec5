/** Tables of what has ended and is to be exported as spans: the same in both stores but for the names of types. */
export function traceTables({ integer, id, table }: { readonly integer: string; readonly id: string; readonly table: string }): string {
  return `
  ALTER TABLE runs ADD COLUMN traceparent TEXT;
  CREATE TABLE trace_sinks (
    sink TEXT PRIMARY KEY,
    holder TEXT,
    lease_until_ms ${integer} NOT NULL DEFAULT 0,
    seen_at_ms ${integer} NOT NULL,
    exported ${integer} NOT NULL DEFAULT 0,
    dropped ${integer} NOT NULL DEFAULT 0
  )${table};
  CREATE TABLE trace_outbox (
    id ${id},
    sink TEXT NOT NULL,
    run ${integer} NOT NULL REFERENCES runs (id),
    kind TEXT NOT NULL,
    ref TEXT NOT NULL,
    at_ms ${integer} NOT NULL,
    money_status TEXT,
    settled_nano_usd ${integer},
    usage_json TEXT
  )${table};
  CREATE INDEX trace_outbox_by_sink ON trace_outbox (sink, id);
  `;
}

interface Watch {
  readonly name: string;
  readonly on: 'UPDATE' | 'INSERT';
  readonly of: 'runs' | 'attempts' | 'tool_calls' | 'gates';
  readonly when: string;
  readonly kind: string;
  readonly ref: string;
  /** Null: the moment of the change. */
  readonly at: string | null;
  /** Values for money_status, settled_nano_usd, usage_json. */
  readonly money: string;
}

const NO_MONEY = 'NULL, NULL, NULL';

/**
 * The moments at which something has ended for good, as triggers: whichever statement of whichever version brings it about,
 * the row for the outbox is written in the same transaction. Without a sink nothing is.
 */
const WATCHES: readonly Watch[] = [
  {
    name: 'trace_run_ended',
    on: 'UPDATE',
    of: 'runs',
    when: 'OLD.ended_at_ms IS NULL AND NEW.ended_at_ms IS NOT NULL',
    kind: 'run',
    ref: "''",
    at: 'NEW.ended_at_ms',
    money: NO_MONEY,
  },
  {
    name: 'trace_attempt_ended',
    on: 'UPDATE',
    of: 'attempts',
    when: 'OLD.outcome_json IS NULL AND NEW.outcome_json IS NOT NULL',
    kind: 'attempt',
    ref: 'NEW.attempt_id',
    at: 'NEW.ended_at_ms',
    money: 'NEW.money_status, NEW.settled_nano_usd, NEW.usage_json',
  },
  {
    name: 'trace_attempt_settled',
    on: 'UPDATE',
    of: 'attempts',
    when: 'OLD.outcome_json IS NOT NULL AND OLD.money_status <> NEW.money_status',
    kind: 'settlement',
    ref: 'NEW.attempt_id',
    at: null,
    // The usage that its own span had already.
    money: 'NEW.money_status, NEW.settled_nano_usd, OLD.usage_json',
  },
  {
    name: 'trace_call_ended',
    on: 'UPDATE',
    of: 'tool_calls',
    when: "OLD.status NOT IN ('done', 'failed') AND NEW.status IN ('done', 'failed')",
    kind: 'tool',
    ref: 'NEW.call_key',
    at: 'NEW.ended_at_ms',
    money: NO_MONEY,
  },
  {
    name: 'trace_read_ended',
    on: 'INSERT',
    of: 'tool_calls',
    when: "NEW.status IN ('done', 'failed')",
    kind: 'tool',
    ref: 'NEW.call_key',
    at: 'NEW.ended_at_ms',
    money: NO_MONEY,
  },
  {
    name: 'trace_gate_ended',
    on: 'UPDATE',
    of: 'gates',
    when: "OLD.status IN ('open', 'approved') AND NEW.status NOT IN ('open', 'approved')",
    kind: 'gate',
    ref: 'NEW.approval_id',
    at: null,
    money: NO_MONEY,
  },
];

function insertOf({ kind, ref, at, money }: Watch, now: string): string {
  return `INSERT INTO trace_outbox (sink, run, kind, ref, at_ms, money_status, settled_nano_usd, usage_json)
    SELECT sink, ${kind === 'run' ? 'NEW.id' : 'NEW.run'}, '${kind}', ${ref}, ${at ?? now}, ${money} FROM trace_sinks`;
}

const SQLITE_NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
const POSTGRES_NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Feedback of a run goes into the queue behind the spans of its end: what it is about is then on its way already. */
const FEEDBACK_OF_ENDED = `INSERT INTO trace_outbox (sink, run, kind, ref, at_ms)
    SELECT trace_sinks.sink, NEW.id, 'feedback', feedback.feedback_id, NEW.ended_at_ms FROM trace_sinks, feedback
    WHERE trace_sinks.takes = 'feedback' AND feedback.run = NEW.id ORDER BY feedback.id`;
/** Of a run that has ended before; for one that goes on, the statement above. */
const FEEDBACK_GIVEN = `INSERT INTO trace_outbox (sink, run, kind, ref, at_ms)
    SELECT sink, NEW.run, 'feedback', NEW.feedback_id, NEW.at_ms FROM trace_sinks
    WHERE takes = 'feedback' AND EXISTS (SELECT 1 FROM runs WHERE runs.id = NEW.run AND runs.ended_at_ms IS NOT NULL)`;

/** What each trigger does since sinks take spans or feedback. */
function statementsOf(watch: Watch, now: string): string {
  const spans = `${insertOf(watch, now)} WHERE takes = 'spans';`;
  return watch.kind === 'run' ? `${spans} ${FEEDBACK_OF_ENDED};` : spans;
}

const TAKES = "ALTER TABLE trace_sinks ADD COLUMN takes TEXT NOT NULL DEFAULT 'spans';";

/** A queue of feedback beside the queue of spans, for sinks of the same name. */
export function sqliteFeedbackQueue(): string {
  const triggers = WATCHES.map(
    (watch) => `DROP TRIGGER ${watch.name};
  CREATE TRIGGER ${watch.name} AFTER ${watch.on} ON ${watch.of} WHEN ${watch.when} BEGIN ${statementsOf(watch, SQLITE_NOW)} END;`,
  );
  return [TAKES, ...triggers, `CREATE TRIGGER trace_feedback_given AFTER INSERT ON feedback BEGIN ${FEEDBACK_GIVEN}; END;`].join('\n');
}

export function postgresFeedbackQueue(): string {
  const functionOf = (name: string, statements: string) =>
    `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${statements} RETURN NULL; END $$;`;
  return [
    TAKES,
    ...WATCHES.map((watch) => functionOf(watch.name, statementsOf(watch, POSTGRES_NOW))),
    functionOf('trace_feedback_given', `${FEEDBACK_GIVEN};`),
    'CREATE TRIGGER trace_feedback_given AFTER INSERT ON feedback FOR EACH ROW EXECUTE FUNCTION trace_feedback_given();',
  ].join('\n');
}

export function sqliteTraceTriggers(): string {
  return WATCHES.map(
    (watch) => `CREATE TRIGGER ${watch.name} AFTER ${watch.on} ON ${watch.of} WHEN ${watch.when} BEGIN ${insertOf(watch, SQLITE_NOW)}; END;`,
  ).join('\n');
}

export function postgresTraceTriggers(): string {
  return WATCHES.map(
    (watch) => `CREATE FUNCTION ${watch.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${insertOf(watch, POSTGRES_NOW)}; RETURN NULL; END $$;
  CREATE TRIGGER ${watch.name} AFTER ${watch.on} ON ${watch.of} FOR EACH ROW WHEN (${watch.when}) EXECUTE FUNCTION ${watch.name}();`,
  ).join('\n');
}
