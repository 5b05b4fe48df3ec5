import type { GateKind } from '../../contracts/approval.ts';
import type { TaskDefinition, TaskSnapshot, ToolDefinition } from '../../contracts/task.ts';
import type { GateRecord, Ruling } from '../../domain/approval/gate.ts';
import { type AskedPolicy, askedOf, isStricter, type PolicySubject, policyFor, together } from '../../domain/approval/policy.ts';
import type { ActivityPorts } from '../ports.ts';

type Ports = Pick<ActivityPorts, 'registry' | 'requesterMayDecideByDefault'>;

/** What must be asked for an action: all that the pinned task asks, and all that the task asks as it is deployed on this worker. */
export function askedPolicy({ registry }: Ports, snapshot: TaskSnapshot, kind: GateKind, subject: PolicySubject): AskedPolicy {
  const asked = (task: TaskDefinition) => askedOf(policyFor(task, kind, toolIn(task, subject.tool)), subject);
  const deployed = registry.tasks.get(snapshot.task.name);
  return together(asked(snapshot.task), deployed ? [asked(deployed)] : []);
}

/** Whether a gate, as its row has it, asks for less than must be asked for what it shows. */
export function isOutgrown(ports: Ports, gate: GateRecord, { policy }: AskedPolicy): boolean {
  return isStricter(policy, gate.policy, ports.requesterMayDecideByDefault);
}

export function rulingOf({ requesterMayDecideByDefault }: Ports): Ruling {
  return { requesterMayDecideByDefault };
}

function toolIn(task: TaskDefinition, name: string): ToolDefinition | null {
  return task.tools.find((tool) => tool.name === name) ?? null;
}
