import type { NanoUsd, PriceTable } from '../../contracts/budget.ts';
import type { TokenUsage } from '../../contracts/model.ts';

/** Both round in their own way: less than this is no difference. */
const TOLERANCE_NANO_USD = 1_000;

export interface GatewayCost {
  readonly reportedNanoUsd: NanoUsd;
  /** What the gateway says beyond what we settled; negative where it says less. */
  readonly differenceNanoUsd: number;
  readonly isDifferent: boolean;
}

/** What a gateway says that a call cost beside what we settled it at; null where it says nothing, or where what it says is the bill. */
export function gatewayCostOf(price: PriceTable | null, usage: TokenUsage | null, settledNanoUsd: NanoUsd | null): GatewayCost | null {
  const reported = usage?.reportedNanoUsd;
  if (reported === undefined || settledNanoUsd === null || price?.isChargedAsReported) return null;
  const differenceNanoUsd = reported - settledNanoUsd;
  return { reportedNanoUsd: reported, differenceNanoUsd, isDifferent: Math.abs(differenceNanoUsd) > TOLERANCE_NANO_USD };
}
