import { TollgateError } from '../../contracts/failures.ts';
import type { RunKey } from '../../contracts/ids.ts';
import { describeStop, lifts, type StopRecord, stopOver, type StoppableWork } from '../../domain/approval/stop.ts';
import { demandUnpaused } from '../agent-run/held.ts';
import type { ActivityPorts } from '../ports.ts';

/** Why this work is held back now, in words; null where it is not. A switch counts as lifted only by a statement whose signature does. */
export function whyStopped({ verifier }: Pick<ActivityPorts, 'verifier'>, stops: readonly StopRecord[], work: StoppableWork): string | null {
  const stop = stopOver(stops, work, (thrown) => {
    const said = thrown.resume && verifier.readStatement(thrown.resume.signed);
    return said?.statement === 'resume' && lifts(said, thrown);
  });
  return stop && `${describeStop(stop)} Nothing was sent; it goes on after "tollgate resume ${stop.stopId}".`;
}

/** @throws TollgateError `stopped` or `paused`, for as long as a switch, or an operator, holds back this run's model calls. */
export async function demandRunning(ports: ActivityPorts, runKey: RunKey, run: Pick<StoppableWork, 'task' | 'tenant'>): Promise<void> {
  const why = whyStopped(ports, await ports.store.stopsFor(runKey, null), { ...run, tool: null });
  if (why !== null) throw new TollgateError('stopped', why);
  await demandUnpaused(ports.store, runKey);
}
