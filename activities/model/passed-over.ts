import type { CallModelInput, CallModelOutcome } from '../../contracts/agent-run.ts';
import { invariant } from '../../contracts/failures.ts';
import type { SkipReason } from '../../contracts/model.ts';
import type { CandidateSnapshot } from '../../contracts/task.ts';
import { formatUsd } from '../../domain/budget/price.ts';
import { verdictFor } from '../../domain/model/error-classifier.ts';
import type { Rejection, Store } from '../../domain/store/port.ts';
import { labelOf } from '../agent-run/snapshot.ts';
import type { ActivityPorts } from '../ports.ts';

/** A budget or a quota denied the call. */
export async function denied({ store }: ActivityPorts, input: CallModelInput, candidate: CandidateSnapshot, rejection: Rejection): Promise<CallModelOutcome> {
  const { scope, unit, neededNanoUsd, neededTokens, quota } = rejection;
  const may = unit === 'tokens' ? `take ${neededTokens} tokens` : `cost ${formatUsd(neededNanoUsd)} USD`;
  const frees = quota?.freesAtMs ? `, which frees at ${new Date(quota.freesAtMs).toISOString()}` : '';
  const message = `${labelOf(candidate)} may ${may}, which is more than is left of ${quota ? `the quota "${quota.name}"${frees}` : `the ${scope} budget`}.`;
  await recordSkip(store, input, candidate, quota ? 'quotaDenied' : 'budgetDenied', message);
  const ledger = await store.getLedger(input.runKey);
  invariant(ledger, 'a run has a ledger');
  return {
    type: 'budgetDenied',
    neededNanoUsd,
    ...(scope === 'run' ? {} : { scope }),
    neededTokens,
    ...(unit === 'tokens' ? { isShortOfTokens: true } : {}),
    ...(quota ? { quota } : {}),
    ledger,
    message,
  };
}

/** The candidate is not asked, and not because of money: nothing was reserved or sent. */
export async function passOver(
  { store }: ActivityPorts,
  input: CallModelInput,
  candidate: CandidateSnapshot,
  why: { readonly reason: 'breakerOpen'; readonly retryInMs: number } | { readonly reason: 'contextTooSmall' },
): Promise<CallModelOutcome> {
  const message =
    why.reason === 'breakerOpen'
      ? `${labelOf(candidate)} failed too often just now, so it is left alone for ${Math.ceil(why.retryInMs / 1_000)} s more (circuit breaker).`
      : `The request is larger than the context of ${labelOf(candidate)}, ${candidate.contextWindow} tokens.`;
  await recordSkip(store, input, candidate, why.reason, message);
  const ledger = await store.getLedger(input.runKey);
  invariant(ledger, 'a run has a ledger');
  const verdict = why.reason === 'breakerOpen' ? verdictFor('overloaded', 'no', why.retryInMs) : verdictFor('contextLengthExceeded', 'no');
  // For workflows of older workers, which know of no skips: the next candidate, and not this one again.
  return { type: 'failed', verdict: { ...verdict, retrySameModel: false }, message, ledger, skipped: why.reason };
}

async function recordSkip(
  store: Store,
  { runKey, attemptId, step, ordinal }: CallModelInput,
  { model }: CandidateSnapshot,
  reason: SkipReason,
  message: string,
): Promise<void> {
  await store.recordSkip({ runKey, attemptId, step, ordinal, model, reason, message });
}
