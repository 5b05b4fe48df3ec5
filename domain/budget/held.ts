import type { PriceTable } from '../../contracts/budget.ts';
import type { TokenUsage } from '../../contracts/model.ts';
import type { AttemptReference, LookupAnswer } from '../model/provider-port.ts';
import type { AttemptRecord } from '../store/port.ts';
import type { HeldAttempt } from './held-store-port.ts';
import { explainCost } from './cost.ts';
import type { LedgerEvent } from './ledger.ts';

/** Beyond a call's own deadline its sender may still be writing its reply down. */
const SENDER_MARGIN_MS = 60_000;
/** The worker of a run that was closed in Temporal hears of it by its next heartbeat, and then waits for a paid reply for some seconds. */
const CLOSED_RUN_MARGIN_MS = 30_000;
/** A request that was let pass at the dispatch deadline is at the provider after this time. */
const DISPATCH_MARGIN_MS = 5_000;
const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 24 * 3_600_000;

/** Whether a sender, or whoever recovers, may still be at work on the attempt. Its money is then not for others to move. */
export function isInFlight({ attempt, runEndedAtMs }: Pick<HeldAttempt, 'attempt' | 'runEndedAtMs'>, modelTimeoutMs: number, nowMs: number): boolean {
  if (attempt.outcome !== null) return false;
  const senderEndsMs = attempt.reservedAtMs + modelTimeoutMs + SENDER_MARGIN_MS;
  return nowMs < (runEndedAtMs === null ? senderEndsMs : Math.min(senderEndsMs, runEndedAtMs + CLOSED_RUN_MARGIN_MS));
}

/** What to ask an endpoint for. */
export function referenceOf(
  attempt: Pick<AttemptRecord, 'attemptId' | 'responseId' | 'providerRequestId' | 'reservedAtMs' | 'dispatchDeadlineMs' | 'reply'>,
): AttemptReference {
  return {
    clientRequestId: attempt.attemptId,
    responseId: attempt.responseId ?? attempt.reply?.responseId ?? null,
    providerRequestId: attempt.providerRequestId,
    sentBetweenMs: [attempt.reservedAtMs, attempt.dispatchDeadlineMs + DISPATCH_MARGIN_MS],
  };
}

export type HeldDecision =
  | { readonly type: 'move'; readonly event: LedgerEvent; readonly usage: TokenUsage | null; readonly because: string }
  | { readonly type: 'keep'; readonly because: string };

/**
 * What an answer means for held money. A complete record settles. "Never seen" releases only once no sender may send any
 * more; everything else keeps the money held, for another look or for a person.
 */
export function decideHeld(attempt: Pick<AttemptRecord, 'dispatchDeadlineMs'>, price: PriceTable, answer: LookupAnswer, nowMs: number): HeldDecision {
  switch (answer.type) {
    case 'found': {
      const cost = explainCost(price, answer.usage, answer.serviceTier);
      if (cost.type === 'unpriced') return { type: 'keep', because: `${answer.record}: ${cost.reason}` };
      return { type: 'move', event: { type: 'settle', costNanoUsd: cost.nanoUsd }, usage: answer.usage, because: answer.record };
    }
    case 'neverSeen':
      return nowMs <= attempt.dispatchDeadlineMs + DISPATCH_MARGIN_MS
        ? { type: 'keep', because: `${answer.record}, but a sender may still send it` }
        : { type: 'move', event: { type: 'release' }, usage: null, because: answer.record };
    case 'unknown':
      return { type: 'keep', because: answer.reason };
  }
}

/** When to ask again after the `looks`-th answer that decided nothing: a minute later, then twice as long each time, up to a day. */
export function nextLookMs(looks: number, nowMs: number): number {
  return nowMs + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(30, Math.max(0, looks - 1)));
}
