import type { OverviewStore } from '../../../domain/overview/store-port.ts';
import { countWaiting, selectGateTimes, selectRunCounts, selectSpend, selectWaiting, toGateOfRun, toGateTimes, toRunCount, toSpendOfDay } from '../overview.ts';
import { integer } from '../rows.ts';
import type { Connection } from './connection.ts';

const EXPIRES_AT_MS = "json_extract(gates.gate_json, '$.expiresAtMs')";

export function createOverviewStore(db: Connection): OverviewStore {
  const all = (query: { readonly sql: string; readonly parameters: Readonly<Record<string, string | number>> }) => db.all(query.sql, { ...query.parameters });
  return {
    listWaitingGates: async (filter) =>
      db.read(() => ({
        gates: all(selectWaiting(filter, EXPIRES_AT_MS)).map(toGateOfRun),
        total: integer(all(countWaiting(filter.tenant))[0] ?? {}, 'gates'),
      })),
    sumSpend: async (filter) => db.read(() => all(selectSpend(filter)).map(toSpendOfDay)),
    countRuns: async (filter) => db.read(() => all(selectRunCounts(filter)).map(toRunCount)),
    listGateTimes: async (filter) => db.read(() => all(selectGateTimes(filter)).map(toGateTimes)),
  };
}
