import type { OverviewStore } from '../../../domain/overview/store-port.ts';
import { countWaiting, selectGateTimes, selectRunCounts, selectSpend, selectWaiting, toGateOfRun, toGateTimes, toRunCount, toSpendOfDay } from '../overview.ts';
import { integer } from '../rows.ts';
import type { Database } from './database.ts';

const EXPIRES_AT_MS = "CAST(CAST(gates.gate_json AS jsonb) ->> 'expiresAtMs' AS BIGINT)";

export function createOverviewStore(db: Database): OverviewStore {
  const all = (query: { readonly sql: string; readonly parameters: Readonly<Record<string, string | number>> }) => db.all(query.sql, { ...query.parameters });
  return {
    listWaitingGates: async (filter) => {
      const [gates, [count]] = await Promise.all([all(selectWaiting(filter, EXPIRES_AT_MS)), all(countWaiting(filter.tenant))]);
      return { gates: gates.map(toGateOfRun), total: integer(count ?? {}, 'gates') };
    },
    sumSpend: async (filter) => (await all(selectSpend(filter))).map(toSpendOfDay),
    countRuns: async (filter) => (await all(selectRunCounts(filter))).map(toRunCount),
    listGateTimes: async (filter) => (await all(selectGateTimes(filter))).map(toGateTimes),
  };
}
