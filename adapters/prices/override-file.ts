import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { PriceTable, TokenKind, TokenRate, TokenRates } from '../../contracts/budget.ts';
import { exactRate, picoUsdPerToken, scaledRate } from '../../domain/budget/exact-rate.ts';
import { providerNames } from './provider-names.ts';

const usdPerMillion = z.number().min(0).max(1_000_000);
const kinds = {
  input: usdPerMillion,
  cachedInput: usdPerMillion.optional(),
  cacheWrite: usdPerMillion.optional(),
  cacheWriteOneHour: usdPerMillion.optional(),
  output: usdPerMillion,
  reasoning: usdPerMillion.optional(),
  audioInput: usdPerMillion.optional(),
  cachedAudioInput: usdPerMillion.optional(),
  audioOutput: usdPerMillion.optional(),
  imageInput: usdPerMillion.optional(),
  cachedImageInput: usdPerMillion.optional(),
  imageOutput: usdPerMillion.optional(),
};
const allKinds = z.strictObject(kinds);
const someKinds = allKinds.partial();
const longContext = z.array(z.strictObject({ aboveInputTokens: z.int().min(1).max(100_000_000), usdPerMillion: someKinds })).max(8);
const name = z.string().min(1).max(300);

const modelPriceSchema = z.strictObject({
  model: name,
  /** Unset: of whoever serves it. */
  provider: name.optional(),
  /** Since when the price holds. Unset: always. */
  effectiveAt: z.union([z.iso.date(), z.iso.datetime()]).optional(),
  usdPerMillion: allKinds,
  longContext: longContext.optional(),
  serviceTiers: z.record(z.string().min(1).max(50), z.strictObject({ usdPerMillion: someKinds, longContext: longContext.optional() })).optional(),
});
export type ModelPrice = z.output<typeof modelPriceSchema>;

export const priceFileSchema = z.strictObject({
  version: z.literal(1),
  /** Where the prices come from, in words. */
  source: z.string().min(1).max(500),
  /** The day on which they were taken from there. */
  date: z.iso.date(),
  models: z.array(modelPriceSchema).max(50_000),
});
export type PriceFile = z.output<typeof priceFileSchema>;

/** Prices that come before the list's. */
export interface OverrideBook {
  priceOf(model: string, provider: string, atMs: number): PriceTable | null;
}

/** The prices of a file as `tollgate price import` writes it. @throws TollgateError where it can't be read or is no such file. */
export function readPriceFile(path: string): OverrideBook {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new TollgateError('invalidInput', `The price file ${path} can't be read: ${(error as Error).message}`);
  }
  const parsed = priceFileSchema.safeParse(value);
  if (!parsed.success) throw new TollgateError('invalidInput', `The price file ${path} has mistakes.\n${z.prettifyError(parsed.error)}`);
  return openPriceFile(parsed.data);
}

/** Looks a model up by its name, with or without its provider's name before it. Of several prices, the newest that holds counts. */
export function openPriceFile({ source, date, models }: PriceFile): OverrideBook {
  const byName = Map.groupBy(models, ({ model }) => model);
  const known = new Set(models.flatMap(({ provider }) => provider ?? []));
  const find = (model: string, atMs: number, isOurs: (provider: string | undefined) => boolean): ModelPrice | undefined =>
    (byName.get(model) ?? [])
      .filter(({ provider, effectiveAt }) => isOurs(provider) && (effectiveAt === undefined || Date.parse(effectiveAt) <= atMs))
      .reduce<ModelPrice | undefined>((newest, each) => (newest && (newest.effectiveAt ?? '') >= (each.effectiveAt ?? '') ? newest : each), undefined);
  return {
    priceOf: (model, provider, atMs) => {
      const names = providerNames(provider);
      const isOurs = (of: string | undefined) => of !== undefined && names.includes(of);
      // A gateway that the file does not know serves other providers' models under their own names.
      const isGateway = !names.some((each) => known.has(each));
      const found =
        names.map((each) => find(`${each}/${model}`, atMs, isOurs)).find((each) => each !== undefined) ??
        find(model, atMs, isOurs) ??
        find(model, atMs, (of) => of === undefined || isGateway);
      return found ? toTable(model, found, `${source}, ${date}`) : null;
    },
  };
}

function toTable(model: string, price: ModelPrice, source: string): PriceTable {
  const standard = toRates(price, null);
  const tiers = Object.entries(price.serviceTiers ?? {}).map(([tier, stated]) => [tier, toRates(stated, standard)] as const);
  return {
    model,
    source: `${source} (${price.model})`,
    ...(price.effectiveAt === undefined ? {} : { effectiveAt: price.effectiveAt }),
    ...standard,
    ...(tiers.length === 0 ? {} : { serviceTiers: Object.fromEntries(tiers) }),
    ...(price.provider === 'openrouter' ? { isChargedAsReported: true as const } : {}),
  };
}

type Stated = Pick<ModelPrice, 'longContext'> & { readonly usdPerMillion: z.output<typeof someKinds> };

/**
 * The rates of one service tier. What a dearer tier does not name is scaled as its input is; what a cheaper one does not name
 * keeps the standard rate: never below what may be charged.
 */
function toRates({ usdPerMillion: stated, longContext: tiers = [] }: Stated, standard: TokenRates | null): TokenRates {
  const base: Partial<Record<TokenKind, TokenRate>> = {};
  const kindsOf = Object.keys(kinds) as TokenKind[];
  for (const kind of kindsOf) {
    const own = stated[kind];
    const others = standard?.[kind];
    if (own !== undefined) base[kind] = { picoUsdPerToken: picoUsdPerToken(own) };
    else if (standard && others) base[kind] = scaledUp({ picoUsdPerToken: others.picoUsdPerToken }, stated.input, standard.input.picoUsdPerToken);
  }
  const { input = { picoUsdPerToken: 0 } } = base;
  for (const kind of kindsOf) {
    const rate = base[kind];
    if (!rate) continue;
    const steps = tiers.map(({ aboveInputTokens, usdPerMillion: above }) => {
      const own = above[kind];
      const { picoUsdPerToken: pico } = own === undefined ? scaledUp(rate, above.input, input.picoUsdPerToken) : { picoUsdPerToken: picoUsdPerToken(own) };
      return { aboveInputTokens, picoUsdPerToken: pico };
    });
    // A tier that says nothing of long contexts leaves their standard rate as the floor.
    const inherited =
      tiers.length === 0
        ? (standard?.[kind]?.tiers ?? []).map((step) => ({ ...step, picoUsdPerToken: Math.max(step.picoUsdPerToken, rate.picoUsdPerToken) }))
        : [];
    const all = [...steps, ...inherited];
    if (all.length > 0) base[kind] = { ...rate, tiers: all };
  }
  return base as TokenRates;
}

function scaledUp(rate: TokenRate, usd: number | undefined, fromPico: number): TokenRate {
  const from = exactRate(fromPico);
  const to = usd === undefined ? from : exactRate(picoUsdPerToken(usd));
  return to > from && from > 0n ? scaledRate(rate, [to, from]) : rate;
}
