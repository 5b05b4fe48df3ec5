import type { ReportStore } from '../../../domain/report/store-port.ts';
import { SELECT_OPEN_RUNS, selectWaitingGates, toPulse } from '../pulse.ts';
import { type ReportDialect, toUsageReport, usageStatements } from '../usage-report.ts';
import type { Connection } from './connection.ts';

const DIALECT: ReportDialect = {
  jsonInteger: (column, field) => `json_extract(${column}, '$.${field}')`,
  jsonText: (column, ...path) => `json_extract(${column}, '$.${path.join('.')}')`,
  contentBody: 'contents.body',
  day: (column) => `date(${column} / 1000, 'unixepoch')`,
  byBytes: '',
};

const WAITING_GATES = selectWaitingGates(DIALECT);

export function createReportStore(db: Connection): ReportStore {
  return {
    reportUsage: async (filter) => {
      const { sql, parameters } = usageStatements(filter, DIALECT);
      return db.read(() => toUsageReport(filter, Object.fromEntries(Object.entries(sql).map(([part, statement]) => [part, db.all(statement, parameters)]))));
    },
    readPulse: async () => db.read(() => toPulse(db.now(), db.get(SELECT_OPEN_RUNS) ?? {}, db.all(WAITING_GATES))),
  };
}
