import { uuid4 } from '@temporalio/workflow';
import type { CallMode, CallModelOutcome, PinnedTask, TranscriptHead } from '../../contracts/agent-run.ts';
import type { AttemptId } from '../../contracts/ids.ts';
import { askingOrder } from '../../domain/agent-run/repaired.ts';
import { CHAIN_START, type ChainWalk, decideNextTry, startOver } from '../../domain/model/next-attempt.ts';
import { outside, outsideOptions } from '../activity-options.ts';
import { untilReleased, waitUnless } from '../agent-run/repairs.ts';
import type { RunState } from '../agent-run/run-state.ts';

/** Beside two tries of an activity as long as they may take: one that died, and the one that finds out what became of it. */
const ANSWER_MARGIN_MS = 60_000;

export interface ModelStep {
  readonly run: RunState;
  readonly task: PinnedTask;
  readonly step: number;
  readonly head: TranscriptHead;
  readonly mode: CallMode;
  /** How much longer may be waited, on the workflow's clock. */
  readonly leftMs: () => number;
}

/**
 * One step's model call: goes down the fallback chain, each try an activity of its own with its own reservation, waits
 * between tries as durable timers. Answers the first usable reply, else why there is none; a lack of money anywhere in
 * the chain counts as a lack of money, because more of it would help. While an operator holds the run no try begins, and
 * where they have another model asked first, the chain is gone down anew.
 */
export async function callModel(request: ModelStep): Promise<CallModelOutcome> {
  const { run, task } = request;
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
    const outcome = await attempt(request, walk);
    if (outcome.type === 'reply') return outcome;
    const next = decideNextTry(walk, outcome, { ...limits, leftMs: request.leftMs() }, Math.random);
    if (next.type === 'giveUp' && !isAnother()) return next.outcome;
    if (next.type === 'try' && next.waitMs > 0) await waitUnless(next.waitMs, isAnother);
    walk = next.type === 'try' && !isAnother() ? next.walk : startOver(walk);
  }
}

function attempt({ run, task, step, head, mode }: ModelStep, walk: ChainWalk): Promise<CallModelOutcome> {
  const { runKey } = run;
  const { asked } = walk;
  const candidateIndex = askingOrder(run.position, task.models.length)[walk.candidateIndex] ?? walk.candidateIndex;
  const what = { step: `step ${step}`, wrapUp: 'last answer', answer: 'question' }[mode];
  const options = outsideOptions(task.modelTimeoutMs, `${what} · ${task.models[candidateIndex] ?? '?'} · attempt ${asked}`);
  // A step waits for as long as it takes; nobody waits so for an answer.
  const bounded = mode === 'answer' ? { ...options, scheduleToCloseTimeout: 2 * (task.modelTimeoutMs + ANSWER_MARGIN_MS) } : options;
  // The id comes from the workflow's own randomness: it survives replay, and differs after a reset.
  const attemptId = uuid4() as AttemptId;
  return outside.callModel.executeWithOptions(bounded, [{ version: 1, runKey, attemptId, step, ordinal: asked, candidateIndex, head, mode }]);
}
