import { uuid4 } from '@temporalio/workflow';
import type { CallModelInput, CallModelOutcome, RunPosition } from '../../contracts/agent-run.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import { leftMs } from '../../domain/agent-run/next-action.ts';
import { askingOrder } from '../../domain/agent-run/repaired.ts';
import { CHAIN_START, type ChainWalk, decideNextTry, startOver } from '../../domain/model/next-attempt.ts';
import { outside, outsideOptions } from '../activity-options.ts';
import { untilReleased, waitUnless } from '../agent-run/repairs.ts';
import type { RunState } from '../agent-run/run-state.ts';

export interface ModelStep {
  readonly run: RunState;
  readonly mode: CallModelInput['mode'];
}

/**
 * One step's model call: goes down the fallback chain, each try an activity of its own with its own reservation, waits
 * between tries as durable timers. Answers the first usable reply, else why there is none; a lack of money anywhere in
 * the chain counts as a lack of money, because more of it would help. While an operator holds the run no try begins, and
 * where they have another model asked first, the chain is gone down anew.
 */
export async function callModel({ run, mode }: ModelStep): Promise<CallModelOutcome> {
  const { task, position: asked } = run;
  const limits = {
    candidates: task.models.length,
    maxAttempts: task.maxAttemptsPerStep,
    maxWaitMs: task.maxRetryWaitMs,
    maxQuotaWaitMs: task.onQuotaDenied === 'wait' ? (task.maxQuotaWaitMs ?? 0) : 0,
  };
  for (let walk = CHAIN_START; ; ) {
    if (run.isHeld) await untilReleased(run);
    const { preferredCandidate } = run.position;
    const isAnother = () => run.position.preferredCandidate !== preferredCandidate;
    const outcome = await attempt(run, asked, mode, walk);
    if (outcome.type === 'reply') return outcome;
    const next = decideNextTry(walk, outcome, { ...limits, leftMs: leftMs(run.position, task, Date.now()) }, Math.random);
    if (next.type === 'giveUp' && !isAnother()) return next.outcome;
    if (next.type === 'try' && next.waitMs > 0) await waitUnless(next.waitMs, isAnother);
    walk = next.type === 'try' && !isAnother() ? next.walk : startOver(walk);
  }
}

function attempt(run: RunState, { step, head }: RunPosition, mode: CallModelInput['mode'], walk: ChainWalk): Promise<CallModelOutcome> {
  const { runKey, task } = run;
  const { asked } = walk;
  const candidateIndex = askingOrder(run.position, task.models.length)[walk.candidateIndex] ?? walk.candidateIndex;
  const what = mode === 'wrapUp' ? 'last answer' : `step ${step}`;
  const options = outsideOptions(task.modelTimeoutMs, `${what} · ${task.models[candidateIndex] ?? '?'} · attempt ${asked}`);
  // The id comes from the workflow's own randomness: it survives replay, and differs after a reset.
  const attemptId = uuid4() as AttemptId;
  return outside.callModel.executeWithOptions(options, [{ version: 1, runKey, attemptId, step, ordinal: asked, candidateIndex, head, mode }]);
}
