import type { PriceTable } from '../../contracts/budget.ts';

/** `day`: the dearest of that day, for a price that is pinned and then holds at any hour. */
export type PriceSpan = 'moment' | 'day';

export interface PriceSource {
  /**
   * The price of `model` at `atMs` (milliseconds since 1970) as its `provider` lists it. Null where it is not known;
   * a model without a price is refused under a budget.
   */
  priceOf(model: string, provider: string, atMs: number, span?: PriceSpan): PriceTable | null;
}
