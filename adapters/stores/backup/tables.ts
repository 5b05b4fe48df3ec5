/** The tables of both stores, each after those it refers to. A test compares them with both schemas. */
export const TABLES = [
  'runs',
  'scopes',
  'run_scopes',
  'attempts',
  'attempt_scopes',
  'contents',
  'nodes',
  'tool_calls',
  'gates',
  'notifications',
  'audit_heads',
  'audit',
  'api_keys',
  'ended_sessions',
  'keys',
  'attempt_lookups',
  'bound_factors',
  'run_meters',
  'quotas',
  'skips',
  'breakers',
  'vault',
  'redaction_counts',
  'feedback',
  'repairs',
  'stops',
  'standing_approvals',
  'standing_uses',
  'delegations',
  'revocations',
  // Last: rows that are put back before these end for no sink.
  'trace_sinks',
  'trace_outbox',
] as const;

export type TableName = (typeof TABLES)[number];

/** One value of a row: an integer, a text, or none. */
export type Cell = string | number | null;

/** Reads one consistent state of a store, while others write to it. */
export interface TableSource {
  columns(table: TableName): Promise<readonly string[]>;
  rows(table: TableName, columns: readonly string[]): AsyncIterable<readonly Cell[]>;
}

/** Fills a store in one transaction that nobody sees before its end. */
export interface TableTarget {
  /** The store's time. */
  nowMs(): Promise<number>;
  columns(table: TableName): Promise<readonly string[]>;
  isEmpty(): Promise<boolean>;
  /** Removes every row, the audit's too. */
  clear(): Promise<void>;
  insert(table: TableName, columns: readonly string[], rows: readonly (readonly Cell[])[]): Promise<void>;
}
