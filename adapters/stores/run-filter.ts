import type { RunFilter } from '../../domain/store/port.ts';
import { runScopeKey } from './rows.ts';
import { SHOWN_STATUS } from './sql.ts';

/** Those that draw on the parent's scope, which is quick to find. */
const DRAWS_ON_PARENT = `runs.id IN (SELECT run_scopes.run FROM scopes JOIN run_scopes ON run_scopes.scope = scopes.id AND run_scopes.kind = 'parent'
  WHERE scopes.kind = 'run' AND scopes.scope_key = :parentScope)`;
const IS_OLDER = `runs.id < (SELECT other.id FROM runs AS other
  WHERE other.agent_run_id = :olderThanId AND other.first_execution_run_id = :olderThanFirst)`;

/** The condition of a filter, and the parameters that it names. `nearestParent` is the SQL for the nearest parent's first execution in `parents_json`. */
export function runCondition(filter: RunFilter, nearestParent: string): { readonly where: string; readonly parameters: Readonly<Record<string, string>> } {
  const { status, task, tenant, olderThan, parent } = filter;
  const conditions: string[] = [];
  const parameters: Record<string, string> = {};
  const add = (condition: string, values: Readonly<Record<string, string>>) => {
    conditions.push(condition);
    Object.assign(parameters, values);
  };
  // By the stored status first, which has an index.
  if (status === 'running' || status === 'awaitingApproval' || status === 'paused') add(`runs.status = 'running' AND ${SHOWN_STATUS} = :status`, { status });
  else if (status) add('runs.status = :status', { status });
  if (task) add('runs.task = :task', { task });
  if (tenant) add('runs.tenant = :tenant', { tenant });
  if (olderThan) add(IS_OLDER, { olderThanId: olderThan.agentRunId, olderThanFirst: olderThan.firstExecutionRunId });
  if (parent) add(`${DRAWS_ON_PARENT} AND ${nearestParent} = :parentFirst`, { parentScope: runScopeKey(parent), parentFirst: parent.firstExecutionRunId });
  return { where: conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '', parameters };
}
