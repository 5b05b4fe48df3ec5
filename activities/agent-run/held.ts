import { TollgateError } from '../../contracts/failures.ts';
import type { AgentRunId, RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';

/** Why nothing of this run begins now, in words. */
export function whyHeld(runKey: RunKey, pausedBy: AgentRunId): string {
  const whose = pausedBy === runKey.agentRunId ? 'The run is paused' : `The run belongs to ${pausedBy}, which is paused`;
  return `${whose}. Nothing was sent; it goes on after "tollgate runs resume ${pausedBy} --reason …".`;
}

/** @throws TollgateError `paused`, for as long as an operator holds the run or one that it belongs to. */
export async function demandUnpaused({ controlOf }: Pick<Store, 'controlOf'>, runKey: RunKey): Promise<void> {
  const { pausedBy } = await controlOf(runKey);
  if (pausedBy !== null) throw new TollgateError('paused', whyHeld(runKey, pausedBy));
}
