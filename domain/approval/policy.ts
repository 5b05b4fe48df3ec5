import type { GateKind, GatePolicy } from '../../contracts/approval.ts';
import type { TaskDefinition, ToolDefinition } from '../../contracts/task.ts';

/** The policy of a gate: the tool's own, else the task's for the kind, else the task's for irreversible actions. */
export function policyFor(task: TaskDefinition, kind: GateKind, tool: ToolDefinition | null): GatePolicy {
  switch (kind) {
    case 'action':
      return tool?.gate ?? task.gates.irreversible;
    case 'inDoubt':
      return task.gates.inDoubt ?? tool?.gate ?? task.gates.irreversible;
    case 'budget':
      return task.gates.budget ?? task.gates.irreversible;
    case 'unavailable':
      return task.gates.unavailable ?? task.gates.irreversible;
  }
}

/** Whether `now` asks for more than `before`, so that an approval under `before` no longer covers the action. */
export function isStricter(now: GatePolicy, before: GatePolicy): boolean {
  return now.approvers > before.approvers || now.role !== before.role || (now.requesterMayDecide === false && before.requesterMayDecide !== false);
}

/** The arguments that bind an approval: all but those declared volatile. */
export function bindingArguments<T>(args: Readonly<Record<string, T>>, volatile: readonly string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !volatile.includes(name)));
}
