import { sleep, uuid4 } from '@temporalio/workflow';
import type { CallModelInput, CallModelOutcome, PinnedTask, TranscriptHead } from '../../contracts/agent-run.ts';
import { assertNever } from '../../contracts/failures.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import { type ChainPosition, decideNextAttempt } from '../../domain/model/next-attempt.ts';
import { outside, outsideOptions } from '../activity-options.ts';

export interface ModelStep {
  readonly runKey: RunKey;
  readonly task: PinnedTask;
  readonly step: number;
  readonly head: TranscriptHead;
  readonly mode: CallModelInput['mode'];
}

/**
 * One step's model call: goes down the fallback chain, each try an activity of its own with its own reservation, waits
 * between tries as durable timers. Answers the first usable reply, else why there is none; a lack of money anywhere in
 * the chain counts as a lack of money, because more of it would help.
 */
export async function callModel(request: ModelStep): Promise<CallModelOutcome> {
  const { task } = request;
  const limits = { candidates: task.models.length, maxAttempts: task.maxAttemptsPerStep, maxWaitMs: task.maxRetryWaitMs };
  let position: ChainPosition = { candidateIndex: 0, tries: 0, attempts: 0 };
  let denied: Extract<CallModelOutcome, { type: 'budgetDenied' }> | null = null;
  for (;;) {
    position = { ...position, tries: position.tries + 1, attempts: position.attempts + 1 };
    const outcome = await attempt(request, position);
    switch (outcome.type) {
      case 'reply':
        return outcome;
      case 'budgetDenied':
        if (!denied || outcome.neededNanoUsd < denied.neededNanoUsd) denied = outcome;
        if (position.candidateIndex + 1 >= limits.candidates || position.attempts >= limits.maxAttempts) return denied;
        position = { ...position, candidateIndex: position.candidateIndex + 1, tries: 0 };
        break;
      case 'failed': {
        const next = decideNextAttempt(position, outcome.verdict, limits, Math.random());
        if (next.type === 'giveUp') return denied ? { ...denied, ledger: outcome.ledger } : outcome;
        if (next.waitMs > 0) await sleep(next.waitMs);
        if (next.candidateIndex !== position.candidateIndex) position = { ...position, candidateIndex: next.candidateIndex, tries: 0 };
        break;
      }
      default:
        assertNever(outcome);
    }
  }
}

function attempt({ runKey, task, step, head, mode }: ModelStep, { candidateIndex, attempts }: ChainPosition): Promise<CallModelOutcome> {
  const what = mode === 'wrapUp' ? 'last answer' : `step ${step}`;
  const options = outsideOptions(task.modelTimeoutMs, `${what} · ${task.models[candidateIndex] ?? '?'} · attempt ${attempts}`);
  // The id comes from the workflow's own randomness: it survives replay, and differs after a reset.
  const attemptId = uuid4() as AttemptId;
  return outside.callModel.executeWithOptions(options, [{ version: 1, runKey, attemptId, step, ordinal: attempts, candidateIndex, head, mode }]);
}
