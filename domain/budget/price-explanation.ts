/** How a cost came about. */
export interface PriceExplanation {
  readonly model: string;
  readonly provider: string;
  /** Where the price comes from, and since when it holds as far as the source says. */
  readonly source: string;
  readonly effectiveAt: string | null;
  /** The time whose price it is. */
  readonly at: string;
  readonly serviceTier: string;
  /** The long-context tier that repriced the whole request; null below all of them. */
  readonly aboveInputTokens: number | null;
  readonly parts: readonly { readonly kind: string; readonly tokens: number; readonly usdPerMillion: number }[];
  /** Every digit, before rounding up to a whole nano-USD. */
  readonly exactUsd: string;
  /** Whether the amount is the provider's own statement of its charge. */
  readonly isReported: boolean;
}

export type PricedLine =
  | ({ readonly id: string | number | null; readonly nanoUsd: number } & Partial<PriceExplanation>)
  | { readonly id: string | number | null; readonly nanoUsd: null; readonly reason: string };

export interface PriceImport {
  readonly imported: number;
  readonly refused: readonly { readonly model: string; readonly reason: string }[];
  /** The file that was written; null where there was nothing to write. */
  readonly out: string | null;
}

export interface PriceImportOptions {
  readonly file: string;
  readonly out: string;
  /** Names of entries; unset: all. */
  readonly models?: readonly string[];
  readonly source?: string;
  /** The day from which the prices hold; unset: today. */
  readonly date?: string;
}
