import type { ReportStore } from '../../../domain/report/store-port.ts';
import { SELECT_OPEN_RUNS, selectWaitingGates, toPulse } from '../pulse.ts';
import { type ReportDialect, toUsageReport, usageStatements } from '../usage-report.ts';
import type { Database } from './database.ts';

const DIALECT: ReportDialect = {
  jsonInteger: (column, field) => `(${column}::jsonb ->> '${field}')::bigint`,
  jsonText: (column, ...path) => `(${column}::jsonb #>> '{${path.join(',')}}')`,
  contentBody: "convert_from(contents.body, 'UTF8')",
  day: (column) => `to_char(to_timestamp(${column} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD')`,
  byBytes: ' COLLATE "C"',
};

const WAITING_GATES = selectWaitingGates(DIALECT);

export function createReportStore(db: Database): ReportStore {
  return {
    reportUsage: async (filter) => {
      const { sql, parameters } = usageStatements(filter, DIALECT);
      const asked = Object.entries(sql).map(async ([part, statement]) => [part, await db.all(statement, parameters)] as const);
      return toUsageReport(filter, Object.fromEntries(await Promise.all(asked)));
    },
    readPulse: async () => {
      const [nowMs, runs, gates] = await Promise.all([db.nowMs(), db.get(SELECT_OPEN_RUNS), db.all(WAITING_GATES)]);
      return toPulse(nowMs, runs ?? {}, gates);
    },
  };
}
