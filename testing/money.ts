import type { BillEntry } from '../adapters/providers/simulated/bill.ts';
import type { LedgerTotals } from '../contracts/budget.ts';

/** What is wrong between a ledger and the bill: settled ≤ bill ≤ settled + held + written off, all of it within the limit (+ overrun). */
export function moneyProblems(ledger: LedgerTotals, entries: readonly BillEntry[]): readonly string[] {
  const { settledNanoUsd: settled, heldNanoUsd: held, writtenOffNanoUsd: writtenOff, limitNanoUsd: limit, overrunNanoUsd: overrun } = ledger;
  const bill = entries.reduce((sum, entry) => sum + entry.nanoUsd, 0);
  return [
    settled <= bill ? [] : [`settled ${settled} nano-USD is more than the bill, ${bill}`],
    bill <= settled + held + writtenOff + overrun
      ? []
      : [`the bill, ${bill} nano-USD, is more than settled ${settled} + held ${held} + written off ${writtenOff}`],
    settled + held + writtenOff <= limit + overrun
      ? []
      : [`settled ${settled} + held ${held} + written off ${writtenOff} is more than the limit, ${limit} nano-USD`],
  ].flat();
}
