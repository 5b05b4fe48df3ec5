import { ApplicationFailure, CancellationScope, condition, currentUpdateInfo, patched, setHandler } from '@temporalio/workflow';
import type { RecordRepairOutcome } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import type { RepairAnswer, RepairRequest, RepairType } from '../../contracts/repair.ts';
import { repairUpdates } from '../../contracts/temporal.ts';
import { afterRepair, hasTakenEffect } from '../../domain/agent-run/repaired.ts';
import { readRepairRequest, REPAIR_SHAPES } from '../../domain/repair/repair-guard.ts';
import { journal } from '../activity-options.ts';
import { PATCHES } from '../patches.ts';
import { readable } from '../readable.ts';
import type { RunState } from './run-state.ts';

/**
 * Registers the updates by which operators repair a run. What is no repair, whoever sent it, is refused before history is
 * written. One repair is made at a time, and while one is, the run begins nothing new.
 */
export function handleRepairs(run: RunState): void {
  let previous: Promise<unknown> = Promise.resolve();

  async function repair(request: RepairRequest, requestId: string): Promise<RepairAnswer> {
    run.repairsUnderWay += 1;
    try {
      const turn = previous.then(() => make(run, request, requestId));
      previous = turn.catch(() => undefined);
      return await turn;
    } finally {
      run.repairsUnderWay -= 1;
    }
  }

  for (const type of Object.keys(repairUpdates) as RepairType[])
    setHandler(
      repairUpdates[type],
      (payload) => {
        const request = readRepairRequest(payload, type);
        invariant(request, 'what is no repair is refused before');
        return repair(request, currentUpdateInfo()?.id ?? '');
      },
      {
        validator: (payload) => {
          if (!readRepairRequest(payload, type)) throw ApplicationFailure.nonRetryable(REPAIR_SHAPES, 'malformed');
        },
      },
    );
}

async function make(run: RunState, request: RepairRequest, requestId: string): Promise<RepairAnswer> {
  // Older workers know no repairs and must not go on from here.
  patched(PATCHES.repairs);
  await condition(() => run.isPinned);
  const { runKey, task, position } = run;
  const kind = request.type === 'signed' ? request.of : request.repair.type;
  const input = {
    version: 1,
    runKey,
    request,
    requestId: `update:${requestId}`.slice(0, 100),
    snapshotDigest: task.snapshotDigest,
    step: position.step,
    replyAttemptId: position.replyAttemptId,
  } as const;
  const record = () => journal.recordRepair.executeWithOptions({ summary: readable(`repair · ${kind}`) }, [input]);
  // A run that was cancelled undoes what it did, and operators repair that too: a handler lives in the cancelled scope.
  const outcome = await (position.undoing ? CancellationScope.nonCancellable(record) : record());
  if (outcome.type !== 'made') return outcome;
  return await takeEffect(run, outcome);
}

async function takeEffect(run: RunState, made: Extract<RecordRepairOutcome, { type: 'made' }>): Promise<RepairAnswer> {
  const { repairId, message, effect, withdrawn } = made;
  if (hasTakenEffect(run.position, repairId)) return { type: 'unchanged', message: `This very repair was made before: ${message}` };
  run.move((position) => afterRepair(position, made, Date.now()));
  if (effect.type === 'useModel' || effect.type === 'raiseBudget')
    for (const approvalId of withdrawn) await journal.closeGate({ version: 1, runKey: run.runKey, approvalId, status: 'withdrawn' });
  run.publish();
  return { type: 'accepted', repairId, message };
}

/** Waits until no operator holds the run. */
export async function untilReleased(run: RunState): Promise<void> {
  await condition(() => !run.isHeld);
}

/** A durable timer that also ends when `isOver`. */
export async function waitUnless(waitMs: number, isOver: () => boolean): Promise<void> {
  await condition(isOver, waitMs);
}
