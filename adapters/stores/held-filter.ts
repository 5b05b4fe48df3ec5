import type { HeldFilter } from '../../domain/budget/held-store-port.ts';

/** The condition of a filter, and the parameters that it names. */
export function heldCondition(filter: HeldFilter): { readonly where: string; readonly parameters: Readonly<Record<string, string | number>> } {
  const { runKey, tenant, reservedBeforeMs, dueAtMs, afterCursor } = filter;
  // As the partial index says it.
  const conditions = ["attempts.money_status = 'held'"];
  const parameters: Record<string, string | number> = {};
  const add = (condition: string, values: Readonly<Record<string, string | number>>) => {
    conditions.push(condition);
    Object.assign(parameters, values);
  };
  if (runKey) add('runs.agent_run_id = :agentRunId AND runs.first_execution_run_id = :firstExecutionRunId', { ...runKey });
  if (tenant !== undefined) add('runs.tenant = :tenant', { tenant });
  if (reservedBeforeMs !== undefined) add('attempts.reserved_at_ms < :reservedBefore', { reservedBefore: reservedBeforeMs });
  if (dueAtMs !== undefined) add('(attempt_lookups.next_at_ms IS NULL OR attempt_lookups.next_at_ms <= :dueAt)', { dueAt: dueAtMs });
  if (afterCursor !== undefined) add('attempts.id > :after', { after: afterCursor });
  return { where: `WHERE ${conditions.join(' AND ')}`, parameters };
}
