import type { RecordRepairOutcome, RunPosition } from '../../contracts/agent-run.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import { countWait, dropGate, goOnWith, setGateStatus, tryModelsAgain } from './position.ts';

type Made = Extract<RecordRepairOutcome, { readonly type: 'made' }>;

/** Whether this very repair has taken effect on the run before. */
export function hasTakenEffect({ repairIds = [] }: RunPosition, repairId: string): boolean {
  return repairIds.includes(repairId);
}

/** Whether an operator gave up the calls that are being carried out. */
export function isSkipped({ skippedReplyId, replyAttemptId }: RunPosition): boolean {
  return replyAttemptId !== null && skippedReplyId === replyAttemptId;
}

/** After a repair was made, once. Time that the run was held is no time of its own. `nowMs` is the workflow's clock. */
export function afterRepair(position: RunPosition, made: Made, nowMs: number): RunPosition {
  const next: RunPosition = { ...position, ledger: made.ledger, repairIds: [...(position.repairIds ?? []), made.repairId] };
  switch (made.effect.type) {
    case 'pause':
      return next.paused ? next : { ...next, paused: { by: made.actor, reason: made.reason.slice(0, 300), sinceMs: nowMs } };
    case 'resume':
      return next.paused ? countWait(withoutPause(next), nowMs - next.paused.sinceMs) : next;
    case 'skipStep':
      return made.withdrawn.reduce<RunPosition>((run, approvalId) => setGateStatus(run, approvalId, 'withdrawn'), {
        ...next,
        skippedReplyId: made.effect.replyAttemptId,
      });
    case 'useModel':
      return withoutGates(tryModelsAgain({ ...next, preferredCandidate: made.effect.candidateIndex }), made.withdrawn);
    case 'raiseBudget':
      return withoutGates(goOnWith(next, made.ledger), made.withdrawn);
  }
}

/** A run whose end is written is held no longer. */
export function withoutPause(position: RunPosition): RunPosition {
  const { paused: _over, ...rest } = position;
  return rest;
}

function withoutGates(position: RunPosition, gates: readonly ApprovalId[]): RunPosition {
  return gates.reduce((run, approvalId) => dropGate(run, approvalId), position);
}

/** In which order the models of a chain are asked: the one that an operator prefers first, the others as the task has them. */
export function askingOrder({ preferredCandidate }: RunPosition, candidates: number): readonly number[] {
  const chain = Array.from({ length: candidates }, (_, index) => index);
  if (preferredCandidate === undefined || preferredCandidate >= candidates) return chain;
  return [preferredCandidate, ...chain.filter((index) => index !== preferredCandidate)];
}
