import type { Brand } from './ids.ts';

/** An integer number of nano-USD (10⁻⁹ USD). A safe integer: at most about 9 million USD. */
export type NanoUsd = Brand<number, 'NanoUsd'>;

/** What a scope's money is doing. `settled` is what providers charged, overruns included. */
export interface LedgerTotals {
  readonly limitNanoUsd: NanoUsd;
  readonly settledNanoUsd: NanoUsd;
  /** Every open reservation: in flight, or of unknown outcome. */
  readonly heldNanoUsd: NanoUsd;
  readonly writtenOffNanoUsd: NanoUsd;
  /** What providers charged beyond the bound that was reserved. Contained in `settled`. */
  readonly overrunNanoUsd: NanoUsd;
}

export type ScopeKind = 'run' | 'parent' | 'tenant' | 'feature';

/** What the money of one attempt is doing. */
export type AttemptMoneyStatus = 'held' | 'settled' | 'released' | 'writtenOff';

export type OnBudgetExhausted = 'ask' | 'wrapUp' | 'fail';

/**
 * The price of one model at the time it was pinned, in integer pico-USD (10⁻¹² USD) per token,
 * which equals USD per million tokens times 10⁶.
 */
export interface PriceTable {
  readonly model: string;
  /** Where the numbers come from, e.g. `genai-prices 0.1.8 (openai)` or `override file prices.json`. */
  readonly source: string;
  readonly input: TokenRate;
  readonly cachedInput?: TokenRate;
  readonly cacheWrite?: TokenRate;
  readonly output: TokenRate;
}

/** A rate with long-context tiers. A tier reprices every token of a request whose input exceeds `aboveInputTokens`. */
export interface TokenRate {
  readonly picoUsdPerToken: number;
  readonly tiers?: readonly { readonly aboveInputTokens: number; readonly picoUsdPerToken: number }[];
}
