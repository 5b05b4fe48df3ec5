import { z } from 'zod';
import type { PriceTable } from '../../contracts/budget.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import { type Cost, explainCost } from '../../domain/budget/cost.ts';
import { otherChargeIn, readAnyUsage } from './usage-shapes.ts';

const lineSchema = z.object({
  id: z.union([z.string(), z.number()]),
  provider: z.string().optional(),
  model: z.string().min(1),
  usage: z.unknown(),
  serviceTier: z.string().nullish(),
  at: z.union([z.string(), z.number()]).optional(),
});

/** How a cost comes about. */
export interface PriceExplanation {
  readonly model: string;
  readonly provider: string;
  /** Where the price comes from, and since when it holds as far as the source says. */
  readonly source: string;
  readonly effectiveAt: string | null;
  readonly at: string;
  readonly serviceTier: string;
  /** The long-context tier that repriced the whole request. */
  readonly aboveInputTokens: number | null;
  readonly parts: readonly { readonly kind: string; readonly tokens: number; readonly usdPerMillion: number }[];
  /** Every digit, before rounding up to a whole nano-USD. */
  readonly exactUsd: string;
  /** The amount is the provider's own statement of its charge. */
  readonly isReported: boolean;
}

export type PricedLine =
  | ({ readonly id: string | number | null; readonly nanoUsd: number } & Partial<PriceExplanation>)
  | { readonly id: string | number | null; readonly nanoUsd: null; readonly reason: string };

export interface PriceLineOptions {
  readonly nowMs: number;
  /** For lines that name no time of their own. Unset: now. */
  readonly at?: string;
  readonly explain?: boolean;
}

/** One line of `tollgate price`: the cost that a run would book for a usage as the provider sent it. Never throws. */
export function priceLine(line: unknown, source: PriceSource, { nowMs, at: defaultAt, explain = false }: PriceLineOptions): PricedLine {
  const parsed = lineSchema.safeParse(line);
  const id = parsed.data?.id ?? idOf(line);
  const unknown = (reason: string): PricedLine => ({ id, nanoUsd: null, reason });
  if (!parsed.success) return unknown(`not a line of {"id","model","usage"}: ${z.prettifyError(parsed.error)}`);
  const { model, provider = 'openai', usage: wireUsage, at = defaultAt } = parsed.data;
  const atMs = at === undefined ? nowMs : typeof at === 'number' ? at : Date.parse(at);
  if (!Number.isFinite(new Date(atMs).getTime())) return unknown(`"at" is no date: ${at}`);
  const usage = readAnyUsage(wireUsage);
  if (!usage) return unknown('the usage is missing, incomplete or makes no sense');
  const price = source.priceOf(model, provider, atMs);
  if (!price)
    return unknown(
      `no price is known for the model "${model}" of ${provider}; give it one in tollgate.config.ts, or import a price file: tollgate price import`,
    );
  const charge = otherChargeIn(wireUsage);
  if (charge !== null && !price.isChargedAsReported) return unknown(`"${charge}" is charged by the call, and no price is known for it`);
  const cost = explainCost(price, usage, parsed.data.serviceTier ?? tierIn(wireUsage));
  if (cost.type === 'unpriced') return unknown(cost.reason);
  return { id, nanoUsd: cost.nanoUsd, ...(explain ? explanationOf(price, provider, atMs, cost) : {}) };
}

function explanationOf(price: PriceTable, provider: string, atMs: number, cost: Extract<Cost, { type: 'priced' }>): PriceExplanation {
  return {
    model: price.model,
    provider,
    source: price.source,
    effectiveAt: price.effectiveAt ?? null,
    at: new Date(atMs).toISOString(),
    serviceTier: cost.serviceTier,
    aboveInputTokens: cost.aboveInputTokens,
    parts: cost.parts.map(({ kind, tokens, picoUsdPerToken }) => ({ kind, tokens, usdPerMillion: Number((picoUsdPerToken / 1e6).toPrecision(15)) })),
    exactUsd: cost.exactUsd,
    isReported: cost.isReported === true,
  };
}

/** Anthropic and Groq report the tier inside the usage. */
function tierIn(usage: unknown): string | null {
  const tier = (usage as { service_tier?: unknown } | null)?.service_tier;
  return typeof tier === 'string' ? tier : null;
}

function idOf(line: unknown): string | number | null {
  const id = (line as { id?: unknown } | null)?.id;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
