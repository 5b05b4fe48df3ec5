import type { Repair, RepairRefusal, RepairStatement } from '../../contracts/repair.ts';
import { formatUsd } from '../budget/price.ts';

/** The most repairs that one run takes: the workflow carries their ids. */
export const MAX_REPAIRS_PER_RUN = 100;
/** A limit beyond this many nano-USD could not be counted exactly. */
const LARGEST_LIMIT_NANO_USD = 4_000_000_000_000_000;

/** What is locked while a repair is made. */
export interface RunUnderRepair {
  readonly isEnded: boolean;
  readonly pausedAtMs: number | null;
  readonly repairs: number;
  readonly limitNanoUsd: number;
}

export type RepairVerdict =
  | { readonly type: 'permitted' }
  | { readonly type: 'unchanged'; readonly message: string }
  | { readonly type: 'refused'; readonly reason: RepairRefusal; readonly message: string };

/** Whether a repair may be made of a run as it stands. Pure: runs under the lock of the run's row. */
export function judgeRepair(run: RunUnderRepair, repair: Repair): RepairVerdict {
  if (run.isEnded) return refused('ended', 'The run has ended; nothing was changed. Start a new one.');
  if (repair.type === 'pause' && run.pausedAtMs !== null)
    return { type: 'unchanged', message: `The run is paused already, since ${new Date(run.pausedAtMs).toISOString()}.` };
  if (repair.type === 'resume' && run.pausedAtMs === null) return { type: 'unchanged', message: 'The run is not paused.' };
  // Whoever holds a run must always be able to let it go on.
  if (run.repairs >= MAX_REPAIRS_PER_RUN && repair.type !== 'resume')
    return refused('tooManyRepairs', `The run has had ${run.repairs} repairs, as many as one takes. Cancel it, or let it go on as it is.`);
  if (repair.type === 'raiseBudget' && run.limitNanoUsd + repair.amountNanoUsd > LARGEST_LIMIT_NANO_USD)
    return refused('budgetTooLarge', 'The budget would be larger than any may be; nothing was changed.');
  return { type: 'permitted' };
}

/** Roles by what they allow: an operator's repairs, and raising a budget, which spends money. */
export interface RepairRoles {
  readonly operator: string;
  readonly raiseBudget: string;
}

/** Who asks for a repair of which run, and when. */
export interface RepairCase {
  readonly run: { readonly agentRunId: string; readonly firstExecutionRunId: string };
  readonly requester: string;
  readonly requesterMayDecide: boolean;
  readonly roles: RepairRoles;
  readonly nowMs: number;
}

/** What speaks against a statement whose signature holds: another run, too late, the wrong person. Null where nothing does. */
export function objectionToStatement(
  said: Pick<RepairStatement, 'agentRunId' | 'firstExecutionRunId' | 'repair' | 'actor' | 'roles' | 'expiresAtMs'>,
  { run, requester, requesterMayDecide, roles, nowMs }: RepairCase,
): { readonly reason: RepairRefusal; readonly message: string } | null {
  if (said.agentRunId !== run.agentRunId || said.firstExecutionRunId !== run.firstExecutionRunId)
    return { reason: 'wrongRun', message: `The repair was signed for the run ${said.agentRunId}, and counts for no other.` };
  if (nowMs > said.expiresAtMs) return { reason: 'signatureExpired', message: 'The repair was signed too long ago. Sign it again.' };
  const needed = said.repair.type === 'raiseBudget' ? roles.raiseBudget : roles.operator;
  if (!said.roles.includes(needed) && !said.roles.includes('*'))
    return { reason: 'wrongRole', message: `This takes the role "${needed}"; ${said.actor} holds ${said.roles.join(', ') || 'none'}.` };
  if (said.repair.type === 'raiseBudget' && said.actor === requester && !requesterMayDecide)
    return { reason: 'requesterMayNotDecide', message: `${said.actor} asked for the run, and its budget is for others to raise.` };
  return null;
}

/** For people: what was done. */
export function describeRepair(repair: Repair): string {
  switch (repair.type) {
    case 'pause':
      return 'paused the run';
    case 'resume':
      return 'let the run go on';
    case 'skipStep':
      return `gave up step ${repair.step}`;
    case 'useModel':
      return `has ${repair.model} asked first from now on`;
    case 'raiseBudget':
      return `raised the budget by ${formatUsd(repair.amountNanoUsd)} USD`;
  }
}

function refused(reason: RepairRefusal, message: string): RepairVerdict {
  return { type: 'refused', reason, message };
}
