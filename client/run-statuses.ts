import type { AgentRunStatus } from '../contracts/agent-run.ts';

const GOING_ON = ['running', 'awaitingApproval', 'paused'] as const;

/** What a run may be, as lists filter by it. */
export const RUN_STATUSES = [...GOING_ON, 'completed', 'budgetExhausted', 'denied', 'expired', 'cancelled', 'failed'] as const satisfies AgentRunStatus[];

export function hasEnded({ status }: { readonly status: string }): boolean {
  return !GOING_ON.some((one) => one === status);
}
