import type { NanoUsd, PriceTable } from '../../contracts/budget.ts';
import type { ErrorVerdict, TokenUsage } from '../../contracts/model.ts';
import { classifyError, verdictFor } from '../model/error-classifier.ts';
import type { ProviderResult } from '../model/provider-port.ts';
import { outcomeOfReply } from '../model/reply-outcome.ts';
import type { AttemptOutcome, OutcomeReport } from '../store/port.ts';
import { type AttemptEvidence, OUTCOMES, type OutcomeKind, outcomeKindOf } from './outcome.ts';
import { costOf, usageOfReply } from './cost.ts';
import { ZERO_NANO_USD } from './ledger.ts';

/** What stands between us and the provider says with these that it lost sight of the call, whatever else its page says. */
const LOST_SIGHT = [408, 499, 502, 504, 520, 522, 523, 524];

/** What is journalled of an answer, by the table of outcomes: its money, what the workflow is told, the reply. */
export function reportOf(result: ProviderResult, price: PriceTable, nowMs: number): OutcomeReport {
  const outcome = outcomeOf(result, nowMs);
  const usage = usageOf(result);
  const costNanoUsd = usage && costOf(price, usage, result.type === 'reply' ? result.reply.serviceTier : null);
  const kind = outcomeKindOf(evidenceOf(result, outcome, { hasUsage: usage !== null, isCounted: costNanoUsd !== null }));
  return {
    outcome: told(outcome, kind),
    ...(result.type === 'reply' ? { reply: result.reply } : {}),
    ...(result.providerRequestId === undefined ? {} : { providerRequestId: result.providerRequestId }),
    ...(usage ? { usage } : {}),
    ...moneyOf(kind, costNanoUsd),
  };
}

/** What is journalled of an attempt that certainly was not sent. */
export function notSentReport(message: string): OutcomeReport {
  return { outcome: told({ type: 'failed', verdict: verdictFor('connectionLost'), message }, 'notSent'), money: { type: 'release' } };
}

/** What is journalled of an attempt whose sender is gone. */
export function lostReport(message: string): OutcomeReport {
  return { outcome: told({ type: 'failed', verdict: verdictFor('connectionLost'), message }, 'lost') };
}

function outcomeOf(result: ProviderResult, nowMs: number): AttemptOutcome {
  switch (result.type) {
    case 'reply': {
      const judged = outcomeOfReply(result.reply);
      return judged.type === 'usable' ? { type: 'reply' } : judged;
    }
    case 'unusable':
      return { type: 'failed', verdict: verdictFor('invalidResponse'), message: result.message };
    case 'failure':
      return { type: 'failed', verdict: classifyError(result.signal, nowMs), message: result.message };
  }
}

function usageOf(result: ProviderResult): TokenUsage | null {
  return result.type === 'reply' ? usageOfReply(result.usage, result.reply) : (result.usage ?? null);
}

/** `isCounted`: the usage is there and has a price. */
function evidenceOf(
  result: ProviderResult,
  outcome: AttemptOutcome,
  { hasUsage, isCounted }: { readonly hasUsage: boolean; readonly isCounted: boolean },
): AttemptEvidence {
  if (result.type !== 'failure' || outcome.type !== 'failed') return { wasSent: true, arrived: 'whole', isCounted, refusalBilled: 'unknown' };
  const { billed } = outcome.verdict;
  const { transport, status } = result.signal;
  const isAnswer = transport === undefined || status !== undefined;
  return {
    wasSent: isAnswer || billed !== 'no',
    arrived: hasUsage ? 'whole' : result.begun ? 'part' : 'nothing',
    isCounted,
    refusalBilled: isAnswer && !LOST_SIGHT.includes(status ?? 0) ? billed : 'unknown',
  };
}

/** The table has the last word on what was billed. */
function told(outcome: AttemptOutcome, kind: OutcomeKind): AttemptOutcome {
  if (outcome.type !== 'failed') return outcome;
  const { billed, sameModelAgain } = OUTCOMES[kind];
  const verdict: ErrorVerdict = { ...outcome.verdict, billed, ...(sameModelAgain === 'always' ? { retrySameModel: true } : {}) };
  return { ...outcome, verdict };
}

function moneyOf(kind: OutcomeKind, costNanoUsd: NanoUsd | null): Pick<OutcomeReport, 'money'> {
  switch (OUTCOMES[kind].money) {
    case 'release':
      return { money: { type: 'release' } };
    case 'settleZero':
      return { money: { type: 'settle', costNanoUsd: ZERO_NANO_USD } };
    case 'settleUsage':
      return costNanoUsd === null ? {} : { money: { type: 'settle', costNanoUsd } };
    case 'hold':
      return {};
  }
}
