import { type Client, ScheduleAlreadyRunning } from '@temporalio/client';
import type { ReconcileInput } from '../contracts/reconcile.ts';
import { RECONCILE_WORKFLOW } from '../contracts/temporal.ts';

/** A call is left to its sender for this long before its provider is asked. */
const OLDER_THAN_MS = 60_000;
const RUN_TIMEOUT_MS = 3_600_000;

/** One for each task queue, so that installations beside each other in a namespace each have their own. */
export function reconcileScheduleId(taskQueue: string): string {
  return `tollgate-reconcile-${taskQueue}`;
}

/**
 * Creates the schedule that reconciles held money. One that is there stays as it is: an operator may have paused it or changed
 * its interval. Answers whether it was created.
 */
export async function ensureReconcileSchedule(client: Client, taskQueue: string, everyMinutes: number): Promise<boolean> {
  const input: ReconcileInput = { version: 1, olderThanMs: OLDER_THAN_MS, all: false };
  try {
    await client.schedule.create({
      scheduleId: reconcileScheduleId(taskQueue),
      spec: { intervals: [{ every: `${everyMinutes}m` }] },
      // One at a time; what was missed while nobody was there is not made up for.
      policies: { overlap: 'SKIP', catchupWindow: '1m' },
      action: {
        type: 'startWorkflow',
        workflowType: RECONCILE_WORKFLOW,
        workflowId: reconcileScheduleId(taskQueue),
        taskQueue,
        args: [input],
        workflowRunTimeout: RUN_TIMEOUT_MS,
        staticSummary: 'asks providers about held money',
      },
    });
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}
