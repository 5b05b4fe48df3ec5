import type { ApprovalId, AttemptId } from '../../contracts/ids.ts';

/** Names a tool call in the effect journal, and the transcript node with its result. A gated call carries its gate. */
export function callKeyOf(attemptId: AttemptId, callIndex: number, approvalId?: ApprovalId): string {
  return approvalId === undefined ? `${attemptId}:${callIndex}` : `${attemptId}:${callIndex}:${approvalId}`;
}
