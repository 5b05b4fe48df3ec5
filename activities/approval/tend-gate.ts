import type { TendGateInput, TendGateOutcome } from '../../contracts/agent-run.ts';
import { momentsOf, tend } from '../../domain/approval/moments.ts';
import type { ActivityPorts } from '../ports.ts';

/** Writes down what has come for a gate by the store's clock, each once. The same call again changes nothing. */
export async function tendGate({ store }: ActivityPorts, { runKey, approvalId }: TendGateInput): Promise<TendGateOutcome> {
  const gate = await store.changeGate(runKey, approvalId, (row, nowMs) => {
    const tended = tend(row, nowMs);
    if (!tended) return null;
    const { policy, expiresAtMs } = row;
    const data = { approvalId, expiresAtMs, role: policy.role, ...(policy.escalateTo ? { escalatedTo: policy.escalateTo.role } : {}) };
    return { gate: tended.gate, audit: tended.events.map((event) => ({ type: `gate.${event}`, runKey, actor: 'tollgate', data })) };
  });
  return { moments: gate?.status === 'open' ? momentsOf(gate) : {} };
}
