import { sleep, uuid4 } from '@temporalio/workflow';
import type { CallMode, CallModelOutcome, PinnedTask, TranscriptHead } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import { CHAIN_START, type ChainWalk, decideNextTry } from '../../domain/model/next-attempt.ts';
import { outside, outsideOptions } from '../activity-options.ts';

/** Beside two tries of an activity as long as they may take: one that died, and the one that finds out what became of it. */
const ANSWER_MARGIN_MS = 60_000;

export interface ModelStep {
  readonly runKey: RunKey;
  readonly task: PinnedTask;
  readonly step: number;
  readonly head: TranscriptHead;
  readonly mode: CallMode;
  /** When the run must begin nothing more, on the workflow's clock. */
  readonly deadlineMs: number;
}

/**
 * One step's model call: goes down the fallback chain, each try an activity of its own with its own reservation, waits
 * between tries as durable timers. Answers the first usable reply, else why there is none; a lack of money anywhere in
 * the chain counts as a lack of money, because more of it would help.
 */
export async function callModel(request: ModelStep): Promise<CallModelOutcome> {
  const { task } = request;
  const limits = {
    candidates: task.models.length,
    maxAttempts: task.maxAttemptsPerStep,
    maxWaitMs: task.maxRetryWaitMs,
    maxQuotaWaitMs: task.onQuotaDenied === 'wait' ? (task.maxQuotaWaitMs ?? 0) : 0,
  };
  for (let walk = CHAIN_START; ; ) {
    const outcome = await attempt(request, walk);
    if (outcome.type === 'reply') return outcome;
    const next = decideNextTry(walk, outcome, { ...limits, leftMs: request.deadlineMs - Date.now() }, Math.random);
    if (next.type === 'giveUp') return next.outcome;
    if (next.waitMs > 0) await sleep(next.waitMs);
    walk = next.walk;
  }
}

function attempt({ runKey, task, step, head, mode }: ModelStep, { candidateIndex, asked }: ChainWalk): Promise<CallModelOutcome> {
  const what = { step: `step ${step}`, wrapUp: 'last answer', answer: 'question' }[mode];
  const options = outsideOptions(task.modelTimeoutMs, `${what} · ${task.models[candidateIndex] ?? '?'} · attempt ${asked}`);
  // A step waits for as long as it takes; nobody waits so for an answer.
  const bounded = mode === 'answer' ? { ...options, scheduleToCloseTimeout: 2 * (task.modelTimeoutMs + ANSWER_MARGIN_MS) } : options;
  // The id comes from the workflow's own randomness: it survives replay, and differs after a reset.
  const attemptId = uuid4() as AttemptId;
  return outside.callModel.executeWithOptions(bounded, [{ version: 1, runKey, attemptId, step, ordinal: asked, candidateIndex, head, mode }]);
}
