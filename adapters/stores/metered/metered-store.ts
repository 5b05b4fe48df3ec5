import type { Store } from '../../../domain/store/port.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import { meteredCalls, meteredGates } from './metered-gates.ts';
import { meteredLedger } from './metered-ledger.ts';
import { meteredRuns, RunFacts } from './metered-runs.ts';

/**
 * A store that counts what is written to it, once for each event, in the process that writes it. What was there already, a
 * recovered reply or the same report again, counts nothing. It changes nothing of what the store does.
 */
export function meteredStore(store: Store, metrics: Metrics): Store {
  const facts = new RunFacts(store);
  return {
    ...store,
    ...meteredRuns(store, metrics, facts),
    ...meteredLedger(store, metrics, facts),
    ...meteredGates(store, metrics, facts),
    ...meteredCalls(store, metrics, facts),
  };
}
