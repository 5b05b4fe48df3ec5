/** Sessions that were ended before their time, in SQL that reads the same in both stores. A row goes once its session would be over anyway. */
export function endedSessionTables({ integer, table }: { readonly integer: string; readonly table: string }): string {
  return `
  CREATE TABLE ended_sessions (
    session_id TEXT PRIMARY KEY,
    until_ms ${integer} NOT NULL
  )${table};
  CREATE INDEX ended_sessions_by_time ON ended_sessions (until_ms);
  `;
}

export const END_SESSION = 'INSERT INTO ended_sessions (session_id, until_ms) VALUES (:sessionId, :untilMs) ON CONFLICT DO NOTHING RETURNING until_ms';
export const FORGET_ENDED = 'DELETE FROM ended_sessions WHERE until_ms < :beforeMs';
export const IS_SESSION_ENDED = 'SELECT 1 AS ended FROM ended_sessions WHERE session_id = :sessionId';
