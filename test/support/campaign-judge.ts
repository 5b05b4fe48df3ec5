import type { LedgerTotals } from '../../contracts/budget.ts';
import type { QuotaWindow } from '../../domain/quota/store-port.ts';
import type { AttemptRecord } from '../../domain/store/port.ts';
import type { Decided } from './campaign.ts';
import type { Arrival } from './destination.ts';
import type { BillLine } from './stage.ts';

/** One run at one moment; the bill from before the ledger was read, and from after. */
export interface Sample {
  readonly id: string;
  readonly attempts: readonly AttemptRecord[];
  readonly ledger: LedgerTotals;
  readonly billBefore: readonly BillLine[];
  readonly billAfter: readonly BillLine[];
}

/** Settled ≤ bill ≤ settled + held + written off (+ overrun), and all of it within the limit (+ overrun). */
export function sampleProblems({ id, attempts, ledger, billBefore, billAfter }: Sample): string[] {
  const { settledNanoUsd: settled, heldNanoUsd: held, writtenOffNanoUsd: writtenOff, overrunNanoUsd: overrun, limitNanoUsd: limit } = ledger;
  const known = new Map(attempts.map((attempt) => [String(attempt.attemptId), attempt]));
  const ofRun = (bill: readonly BillLine[]) => bill.filter(({ clientRequestId }) => known.has(String(clientRequestId)));
  // What is charged beyond a bound is an overrun from the moment that it is known, which is when it is settled.
  const isKnown = ({ clientRequestId, fault }: BillLine) => fault !== 'usageAboveBound' || known.get(String(clientRequestId))?.money.status === 'settled';
  const before = sum(ofRun(billBefore).filter(isKnown));
  const after = sum(ofRun(billAfter));
  const promised = settled + held + writtenOff;
  return [
    ...(settled > after ? [`${id}: settled ${settled} > bill ${after}`] : []),
    ...(before > promised + overrun ? [`${id}: bill ${before} > settled ${settled} + held ${held} + written off ${writtenOff} + overrun ${overrun}`] : []),
    ...(promised > limit + overrun ? [`${id}: settled ${settled} + held ${held} + written off ${writtenOff} > limit ${limit} + overrun ${overrun}`] : []),
  ];
}

/** Steps whose model was paid for more than once, and by how much in nano-USD. */
export interface PaidTwice {
  readonly steps: number;
  readonly nanoUsd: number;
}

/** After reconciliation: nothing is held, and what is settled is the bill, attempt by attempt. */
export function campaignMoneyProblems(id: string, attempts: readonly AttemptRecord[], ledger: LedgerTotals | null, bill: readonly BillLine[]) {
  const billed = new Map<string, number>();
  for (const { clientRequestId, nanoUsd } of bill) billed.set(String(clientRequestId), (billed.get(String(clientRequestId)) ?? 0) + nanoUsd);
  const problems = attempts.flatMap(({ attemptId, money: { status, settledNanoUsd } }) => {
    const charged = billed.get(String(attemptId)) ?? 0;
    return (settledNanoUsd ?? 0) === charged && status !== 'held'
      ? []
      : [`${id}: attempt ${attemptId} is ${status} at ${settledNanoUsd}, and the provider charged ${charged}`];
  });
  const total = attempts.reduce((amount, { attemptId }) => amount + (billed.get(String(attemptId)) ?? 0), 0);
  if (ledger?.settledNanoUsd !== total || ledger.heldNanoUsd !== 0)
    problems.push(`${id}: settled ${ledger?.settledNanoUsd}, held ${ledger?.heldNanoUsd}, bill ${total}`);
  return { problems, paidTwice: paidTwice(attempts, billed) };
}

/** The tenant's quota counts what all runs counted: no reservation and no settlement was lost between two writers. */
export function quotaProblems(windows: readonly QuotaWindow[], bill: readonly BillLine[]): string[] {
  const settled = windows.reduce((total, { totals }) => total + totals.settledNanoUsd, 0);
  const held = windows.reduce((total, { totals }) => total + totals.heldNanoUsd, 0);
  return settled === sum(bill) && held === 0 ? [] : [`the tenant's quota says settled ${settled}, held ${held}, and the provider charged ${sum(bill)}`];
}

function paidTwice(attempts: readonly AttemptRecord[], billed: ReadonlyMap<string, number>): PaidTwice {
  const bySteps = Map.groupBy(attempts, ({ step }) => step);
  let result = { steps: 0, nanoUsd: 0 };
  for (const tries of bySteps.values()) {
    const paid = tries.map(({ attemptId }) => billed.get(String(attemptId)) ?? 0).filter((amount) => amount > 0);
    if (paid.length > 1) result = { steps: result.steps + 1, nanoUsd: result.nanoUsd + paid.slice(0, -1).reduce((total, amount) => total + amount, 0) };
  }
  return result;
}

/** Every irreversible action at most once, and only after an approval of it. */
export function campaignGateProblems(id: string, arrivals: readonly Arrival[], decided: readonly Decided[]): string[] {
  return (['pay', 'wire'] as const).flatMap((tool) => {
    const sent = arrivals.filter((arrival) => arrival.tool === tool);
    const approvals = decided.filter(
      ({ gate, verdict }) => gate.runKey.agentRunId === id && gate.kind === 'action' && gate.tool === tool && verdict === 'approve',
    );
    const first = sent[0];
    return [
      ...(first && !approvals.some(({ atMs }) => atMs <= first.atMs) ? [`${id}: ${tool} ran without an approval before it`] : []),
      ...(new Set(sent.map((arrival) => arrival.idempotencyKey)).size > approvals.length ? [`${id}: ${tool} ran under more keys than approvals`] : []),
      // `wire` has no door to ask at, so it may never be sent again; `pay` may be, under the same key, once it says "not done".
      ...(tool === 'wire' && sent.length > 1 ? [`${id}: wire was sent ${sent.length} times`] : []),
    ];
  });
}

function sum(lines: readonly BillLine[]): number {
  return lines.reduce((total, { nanoUsd }) => total + nanoUsd, 0);
}
