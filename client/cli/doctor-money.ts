import type { Client } from '@temporalio/client';
import { findLostRuns } from '../lost-runs.ts';
import { reportBound, reportOpenMoney } from '../money-report.ts';
import type { Finding } from './doctor.ts';
import type { CliServices } from './services.ts';

const MAX_NAMED = 5;
const MAX_BOUNDS = 100;
/** Money that is held for longer than this is waiting for somebody. */
const LONG_HELD_MS = 24 * 3_600_000;

/** Compares Temporal's open runs with the store. */
export async function checkLostRuns(client: Client, services: CliServices): Promise<Finding> {
  const { looked, lost, isPartial } = await findLostRuns(client, await services.openStore(), services.taskQueue());
  const amount = `${looked} open runs compared${isPartial ? ', and there are more' : ''}`;
  if (lost.length === 0) return { status: 'ok', message: `${amount}: the store has what their histories name` };
  const named = lost.slice(0, MAX_NAMED).map(({ agentRunId, lacks }) => `${agentRunId} (${lacks})`);
  const more = lost.length > named.length ? `, and ${lost.length - named.length} more` : '';
  return {
    status: 'problem',
    message: `${amount}: the store lacks what the histories of ${lost.length} name: ${named.join(', ')}${more}`,
    fix: 'The store was lost or restored. They send nothing and stop in doubt. Restore the newer store, or look at what the providers and destinations did and cancel them: "tollgate runs cancel <id>". See docs/money.md.',
  };
}

/** How much money waits to be accounted for, and since when. */
export async function checkHeldMoney(services: CliServices): Promise<Finding> {
  const store = await services.openStore();
  const money = await store.openMoney();
  const { held, writtenOff, overruns } = reportOpenMoney(money);
  const message = `${held.usd} USD of ${held.attempts} attempts held; ${writtenOff.usd} USD written off; ${overruns.usd} USD beyond the bound, of ${overruns.attempts}`;
  const { oldestReservedAtMs } = money.held;
  if (oldestReservedAtMs === null || (await store.nowMs()) - oldestReservedAtMs < LONG_HELD_MS) return { status: 'ok', message };
  return {
    status: 'problem',
    message: `${message}; the oldest is held since ${held.oldestReservedAt}`,
    fix: 'Run "tollgate reconcile", which shows why each is held. What no provider has a record of stays held until a person writes it off: "tollgate reconcile write-off <attemptId> --reason …".',
  };
}

/** Models whose bounds were no bounds. */
export async function checkBounds(services: CliServices): Promise<Finding> {
  const raised = (await (await services.openStore()).listBoundFactors(MAX_BOUNDS)).map(reportBound);
  if (raised.length === 0) return { status: 'ok', message: 'as computed: no provider has charged beyond one' };
  const named = raised.map(({ model, endpoint, factor }) => `${model} at ${endpoint} × ${factor}`);
  return {
    status: 'ok',
    message: `raised after overruns: ${named.join(', ')}. "tollgate reconcile reset-bound <model> <endpoint> --reason …" takes one back`,
  };
}
