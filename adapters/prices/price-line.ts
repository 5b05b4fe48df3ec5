import { z } from 'zod';
import type { TokenUsage } from '../../contracts/model.ts';
import type { PriceSource } from '../../domain/budget/price-port.ts';
import { costOf } from '../../domain/budget/price.ts';
import { readUsage } from '../providers/openai/usage.ts';

const lineSchema = z.object({
  id: z.union([z.string(), z.number()]),
  provider: z.string().optional(),
  model: z.string().min(1),
  usage: z.unknown(),
  serviceTier: z.string().nullish(),
  at: z.union([z.string(), z.number()]).optional(),
});

const count = z.int().min(0);
const ownUsage = z.object({
  inputTokens: count,
  outputTokens: count,
  cachedInputTokens: count.default(0),
  cacheWriteTokens: count.default(0),
  reasoningTokens: count.default(0),
});
/** Anthropic's own counts leave cached tokens out of the input. */
const anthropicUsage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_read_input_tokens: count.nullish(),
  cache_creation_input_tokens: count.nullish(),
});

export type PricedLine =
  | { readonly id: string | number | null; readonly nanoUsd: number }
  | { readonly id: string | number | null; readonly nanoUsd: null; readonly reason: string };

/** One line of `tollgate price`: the cost that a run would book for a usage as the provider sent it. Never throws. */
export function priceLine(line: unknown, source: PriceSource, nowMs: number): PricedLine {
  const parsed = lineSchema.safeParse(line);
  const id = parsed.data?.id ?? idOf(line);
  const unknown = (reason: string): PricedLine => ({ id, nanoUsd: null, reason });
  if (!parsed.success) return unknown(`not a line of {"id","model","usage"}: ${z.prettifyError(parsed.error)}`);
  const { model, provider = 'openai', serviceTier, at } = parsed.data;
  if (serviceTier && !['default', 'standard', 'auto'].includes(serviceTier)) return unknown(`no price is known for the service tier "${serviceTier}"`);
  const atMs = at === undefined ? nowMs : typeof at === 'number' ? at : Date.parse(at);
  if (!Number.isFinite(atMs)) return unknown(`"at" is no date: ${at}`);
  const usage = usageOf(parsed.data.usage);
  if (!usage) return unknown('the usage is missing, incomplete or makes no sense');
  const price = source.priceOf(model, provider, atMs);
  return price ? { id, nanoUsd: costOf(price, usage) } : unknown(`no price is known for the model "${model}" of ${provider}`);
}

function usageOf(value: unknown): TokenUsage | null {
  const own = ownUsage.safeParse(value);
  if (own.success) return own.data.cachedInputTokens + own.data.cacheWriteTokens <= own.data.inputTokens ? own.data : null;
  const anthropic = anthropicUsage.safeParse(value);
  const { cache_read_input_tokens: read, cache_creation_input_tokens: written } = anthropic.data ?? {};
  if (anthropic.data && (read != null || written != null)) {
    const { input_tokens: plain, output_tokens: outputTokens } = anthropic.data;
    return {
      inputTokens: plain + (read ?? 0) + (written ?? 0),
      cachedInputTokens: read ?? 0,
      cacheWriteTokens: written ?? 0,
      outputTokens,
      reasoningTokens: 0,
    };
  }
  return readUsage(value);
}

function idOf(line: unknown): string | number | null {
  const id = (line as { id?: unknown } | null)?.id;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
