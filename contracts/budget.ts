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
 * What one model charges for its kinds of tokens. A kind without a rate of its own: cached tokens cost what uncached ones do,
 * reasoning what output does, images in the input what text does. Cache writes, audio, and images in the output have no such
 * neighbour, because theirs would be below the bill: without a rate they can't be priced.
 */
export interface TokenRates {
  readonly input: TokenRate;
  readonly cachedInput?: TokenRate;
  /** Writes that live for five minutes, or for a time that nobody states. */
  readonly cacheWrite?: TokenRate;
  readonly cacheWriteOneHour?: TokenRate;
  readonly output: TokenRate;
  /** Reasoning is output. Only where it has a price of its own. */
  readonly reasoning?: TokenRate;
  readonly audioInput?: TokenRate;
  readonly cachedAudioInput?: TokenRate;
  readonly audioOutput?: TokenRate;
  readonly imageInput?: TokenRate;
  readonly cachedImageInput?: TokenRate;
  readonly imageOutput?: TokenRate;
}

export type TokenKind = keyof TokenRates;

/** The price of one model at the time it was pinned. Its own rates are those of the standard service tier. */
export interface PriceTable extends TokenRates {
  readonly model: string;
  /** Where the numbers come from, e.g. `genai-prices 0.1.8 (openai/gpt-5)` or `override file prices.json`. */
  readonly source: string;
  /** Since when they hold, ISO 8601, as far as the source says. */
  readonly effectiveAt?: string;
  /** The rates of other service tiers, by the name that a response reports: `flex`, `priority`, `batch`. */
  readonly serviceTiers?: Readonly<Record<string, TokenRates>>;
  /** A reply of this provider states what was charged, and that is the bill. */
  readonly isChargedAsReported?: true;
}

/**
 * A rate in pico-USD (10⁻¹² USD) per token, which equals USD per million tokens times 10⁶. A decimal number of at most 15
 * digits that is read digit by digit: it may be a fraction, and is never computed with as a float. A long-context tier reprices
 * every token of a request whose input exceeds `aboveInputTokens`.
 */
export interface TokenRate {
  readonly picoUsdPerToken: number;
  readonly tiers?: readonly { readonly aboveInputTokens: number; readonly picoUsdPerToken: number }[];
}
