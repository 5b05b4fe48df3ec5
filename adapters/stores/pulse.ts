import type { StorePulse } from '../../domain/report/store-port.ts';
import { integer, type Row, text } from './rows.ts';
import type { ReportDialect } from './usage-report.ts';

export const SELECT_OPEN_RUNS = `SELECT (SELECT count(*) FROM runs WHERE status IN ('running', 'paused')) AS open_runs,
  (SELECT count(DISTINCT gates.run) FROM gates JOIN runs ON runs.id = gates.run WHERE gates.status = 'open' AND runs.status = 'running') AS waiting_runs`;

/** Open gates by kind. */
export function selectWaitingGates({ jsonInteger, jsonText }: ReportDialect): string {
  return `SELECT ${jsonText('gate_json', 'kind')} AS kind, count(*) AS gates, min(${jsonInteger('gate_json', 'createdAtMs')}) AS oldest,
    min(${jsonInteger('gate_json', 'expiresAtMs')}) AS next_expiry FROM gates WHERE status = 'open' GROUP BY 1 ORDER BY 1`;
}

export function toPulse(nowMs: number, runs: Row, gates: readonly Row[]): StorePulse {
  return {
    nowMs,
    openRuns: integer(runs, 'open_runs'),
    waitingRuns: integer(runs, 'waiting_runs'),
    waitingGates: gates.map((row) => ({
      kind: text(row, 'kind'),
      count: integer(row, 'gates'),
      oldestCreatedAtMs: integer(row, 'oldest'),
      nextExpiresAtMs: integer(row, 'next_expiry'),
    })),
  };
}
