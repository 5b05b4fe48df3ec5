import type { Billed } from '../../contracts/model.ts';

/** What was seen of an attempt by whoever sent it, in no provider's words. */
export interface AttemptEvidence {
  /** False only where it is certain that not one byte of the request reached anybody. */
  readonly wasSent: boolean;
  /**
   * `nothing`: no sign that work began. `part`: work had begun (a piece of a reply, the id of a background response), and its
   * end was not seen. `whole`: the provider's own end of it was seen.
   */
  readonly arrived: 'nothing' | 'part' | 'whole';
  /** Whether the end came with a count of all tokens, each of which has a price. */
  readonly isCounted: boolean;
  /** What the provider's refusal says of its charge; `unknown` where it refused nothing. */
  readonly refusalBilled: Billed;
}

/** How an attempt ended, as far as its money is concerned. */
export type OutcomeKind = 'notSent' | 'refusedFree' | 'complete' | 'uncounted' | 'partial' | 'lost';

export interface OutcomeRule {
  /** `hold` leaves the whole reservation held until the usage is known, whenever that is. */
  readonly money: 'release' | 'settleZero' | 'settleUsage' | 'hold';
  /** What the workflow is told of the charge. */
  readonly billed: Billed;
  /** `reply`: the reply, or why it can't be used. `failure`: the class of the error. */
  readonly told: 'reply' | 'failure';
  /** Whether the same model may be tried again: always, or where the class of the error or of the reply permits it. Each try is paid for by itself. */
  readonly sameModelAgain: 'always' | 'byClass';
}

/** Settled once, for every way a call can end. */
export const OUTCOMES: Readonly<Record<OutcomeKind, OutcomeRule>> = {
  /** Too late to send, cancelled before, or no connection. */
  notSent: { money: 'release', billed: 'no', told: 'failure', sameModelAgain: 'always' },
  /** The provider refused before any work, with an error that is known to be free. */
  refusedFree: { money: 'settleZero', billed: 'no', told: 'failure', sameModelAgain: 'byClass' },
  /** The provider ended its work and counted it, whether the reply is of use or not. */
  complete: { money: 'settleUsage', billed: 'yes', told: 'reply', sameModelAgain: 'byClass' },
  /** The provider ended its work, and what it costs is not known: no count came, or nobody knows the price of what was counted. */
  uncounted: { money: 'hold', billed: 'unknown', told: 'reply', sameModelAgain: 'byClass' },
  /** Work had begun and was lost sight of: a stream that was cut, hung or broke off with an error, a background response nobody saw the end of. */
  partial: { money: 'hold', billed: 'unknown', told: 'failure', sameModelAgain: 'byClass' },
  /** Sent, and nothing came back that says what it cost: a timeout, a lost connection, a server error, a dead worker. */
  lost: { money: 'hold', billed: 'unknown', told: 'failure', sameModelAgain: 'byClass' },
};

/** Which row of the table an attempt falls under. What may have been billed is never `notSent` or `refusedFree`. */
export function outcomeKindOf({ wasSent, arrived, isCounted, refusalBilled }: AttemptEvidence): OutcomeKind {
  if (arrived === 'whole') return isCounted ? 'complete' : 'uncounted';
  if (arrived === 'part') return 'partial';
  if (!wasSent) return 'notSent';
  return refusalBilled === 'no' ? 'refusedFree' : 'lost';
}
