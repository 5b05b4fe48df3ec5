import type { GateRecord } from '../../../domain/approval/gate.ts';
import type { ToolCallRecord } from '../../../domain/store/port.ts';
import type { Plan } from './approvers.ts';

/** One time that the destination did the work. */
export interface Execution {
  readonly tool: string;
  readonly idempotencyKey: string;
  readonly atMs: number;
}

interface Evidence {
  readonly executions: readonly Execution[];
  readonly calls: readonly ToolCallRecord[];
  readonly gates: readonly GateRecord[];
  /** What the script meant for each gate. */
  readonly plans: ReadonlyMap<string, Plan>;
}

/**
 * Executions against approvals: none without one, at most one for each, and in the end the journal says of every action what the
 * destination did. Nothing stays in doubt.
 */
export function runProblems({ executions, calls, gates, plans }: Evidence): string[] {
  const byKey = new Map(calls.map((call) => [call.idempotencyKey, call]));
  const perApproval = new Map<string, number>();
  const problems: string[] = [];
  for (const { tool, idempotencyKey } of executions) {
    const approvalId = byKey.get(idempotencyKey)?.approvalId;
    if (!approvalId) problems.push(`${tool} was executed under ${idempotencyKey}, which no approval permitted`);
    else {
      if (plans.get(approvalId) !== 'approve') problems.push(`${tool} was executed by gate ${approvalId}, which nobody approved`);
      perApproval.set(approvalId, (perApproval.get(approvalId) ?? 0) + 1);
    }
  }
  for (const [approvalId, count] of perApproval) if (count > 1) problems.push(`gate ${approvalId} permitted one action, and ${count} were executed`);
  for (const { status, callKey, approvalId } of calls) {
    const wasExecuted = approvalId !== null && perApproval.has(approvalId);
    if (status === 'intent' || status === 'inDoubt') problems.push(`${callKey} is still ${status}`);
    else if (wasExecuted !== (status === 'done')) problems.push(`${callKey} is ${status} in the journal, and was ${wasExecuted ? '' : 'not '}executed`);
  }
  for (const { approvalId, status } of gates) {
    const isApproved = status === 'approved' || status === 'consumed';
    if (isApproved && plans.get(approvalId) !== 'approve') problems.push(`gate ${approvalId} is ${status}, and nobody approved it`);
    if (status === 'open') problems.push(`gate ${approvalId} is still open`);
  }
  return problems;
}
