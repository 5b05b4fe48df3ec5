import { calcPrice } from '@pydantic/genai-prices';
import type { PriceTable, TokenKind, TokenRate, TokenRates } from '../../contracts/budget.ts';
import type { PriceSource, PriceSpan } from '../../domain/budget/price-port.ts';
import { picoUsdPerToken, scaledRate } from '../../domain/budget/exact-rate.ts';
import { type StatedPrice, taskPrice } from '../../domain/task/candidates.ts';
import { readPriceFile } from './override-file.ts';
import { serviceTiersOf } from './service-tiers.ts';

/** The pinned release of the list, and its day. A test compares it with package.json. */
export const PRICE_LIST = { name: 'genai-prices', version: '0.1.8', date: '2026-09-23' } as const;

/** What the list calls our kinds of tokens, in USD per million. */
const LISTED_KINDS = {
  input: 'input_mtok',
  cachedInput: 'cache_read_mtok',
  cacheWrite: 'cache_write_mtok',
  cacheWriteOneHour: 'cache_write_1h_mtok',
  output: 'output_mtok',
  reasoning: 'output_reasoning_mtok',
  audioInput: 'input_audio_mtok',
  cachedAudioInput: 'cache_audio_read_mtok',
  audioOutput: 'output_audio_mtok',
  imageInput: 'input_image_mtok',
  cachedImageInput: 'cache_image_read_mtok',
  imageOutput: 'output_image_mtok',
} as const satisfies Record<TokenKind, string>;

/** Charges that are no matter of tokens: a model that has one can't be priced by its usage. */
const OTHER_CHARGES = ['requests_kcount', 'input_text_messages_kcount', 'audio_hours', 'input_audio_hours', 'output_citation_mtok'];

/** The list starts OpenAI's long-context tier one token early: OpenAI charges it above 272,000, not from there on. */
const CORRECTED_STARTS: Readonly<Record<string, Readonly<Record<number, number>>>> = { openai: { 271_999: 272_000 } };

const HALF_HOURS = 48;
const HALF_HOUR_MS = 1_800_000;
const DAY_MS = HALF_HOURS * HALF_HOUR_MS;

export interface PriceSourceOptions {
  /** Prices that a configuration states beside its models; they hold at any time. */
  readonly stated?: readonly { readonly model: string; readonly price?: StatedPrice }[];
  /** Path of a price file, as `tollgate price import` writes it. */
  readonly file?: string | undefined;
}

/** Prices of `@pydantic/genai-prices`, as released with this package (nothing is fetched), after those of one's own. @throws TollgateError for a price file that can't be read. */
export function createPriceSource({ stated = [], file }: PriceSourceOptions = {}): PriceSource {
  const overrides = file === undefined ? null : readPriceFile(file);
  return {
    priceOf: (model, provider, atMs, span = 'moment') => {
      const own = stated.find((candidate) => candidate.model === model)?.price;
      if (own) return taskPrice(model, own, 'tollgate.config.ts');
      return overrides?.priceOf(model, provider, atMs) ?? listedPrice(model, provider, atMs, span);
    },
  };
}

function listedPrice(model: string, provider: string, atMs: number, span: PriceSpan): PriceTable | null {
  const now = priceAt(model, provider, atMs);
  if (!now || span === 'moment' || !now.variesByHour) return now?.table ?? null;
  const startOfDay = Math.floor(atMs / DAY_MS) * DAY_MS;
  const tables = Array.from({ length: HALF_HOURS }, (_, index) => priceAt(model, provider, startOfDay + index * HALF_HOUR_MS)?.table ?? now.table);
  return { ...tables.reduce(dearestTable), source: `${now.table.source}, its dearest hours` };
}

/** Both tables' dearer rates. Prices that change by the hour have no long-context tiers, so the whole rate is taken. */
function dearestTable(one: PriceTable, other: PriceTable): PriceTable {
  const kinds = (Object.keys(LISTED_KINDS) as TokenKind[]).flatMap((kind): [TokenKind, TokenRate][] => {
    const rates = [one[kind], other[kind]].filter((rate) => rate !== undefined);
    return rates.length === 0 ? [] : [[kind, rates.reduce((dearer, rate) => (rate.picoUsdPerToken > dearer.picoUsdPerToken ? rate : dearer))]];
  });
  return { ...one, ...Object.fromEntries(kinds) };
}

function priceAt(model: string, provider: string, atMs: number): { readonly table: PriceTable; readonly variesByHour: boolean } | null {
  const priced = calcPrice({ input_tokens: 0, output_tokens: 0 }, model, { providerId: provider, timestamp: new Date(atMs) });
  if (!priced) return null;
  const { model_price: listed, provider: lister, model: entry } = priced;
  if (OTHER_CHARGES.some((charge) => listed[charge] !== undefined)) return null;
  const isEmbedding = listed.output_mtok === undefined && /embed|^voyage/.test(entry.id);
  if (listed.input_mtok === undefined || (listed.output_mtok === undefined && !isEmbedding)) return null;
  const rates = Object.fromEntries(
    Object.entries(LISTED_KINDS).flatMap(([kind, key]) => (listed[key] === undefined ? [] : [[kind, toRate(listed[key], lister.id)]])),
  ) as Partial<Record<TokenKind, TokenRate>>;
  const { input = FREE, output = FREE } = rates;
  const standard: TokenRates = { ...rates, input, output, ...oneHourWrites(lister.id, rates) };
  const conditional = Array.isArray(entry.prices) ? entry.prices : [];
  const since = conditional.find(({ prices }) => prices === listed)?.constraint;
  const table: PriceTable = {
    model,
    source: `${PRICE_LIST.name} ${PRICE_LIST.version} of ${PRICE_LIST.date} (${lister.id}/${entry.id})`,
    ...(since?.type === 'start_date' ? { effectiveAt: since.start_date } : {}),
    ...standard,
    ...serviceTiersOf(lister.id, entry.id, standard),
    ...(lister.id === 'openrouter' ? { isChargedAsReported: true as const } : {}),
  };
  return { table, variesByHour: conditional.some(({ constraint }) => constraint?.type === 'time_of_date') };
}

const FREE: TokenRate = { picoUsdPerToken: 0 };

/** Anthropic charges a write that lives for an hour at twice the input, also where the list does not say so. */
function oneHourWrites(provider: string, { input, cacheWrite, cacheWriteOneHour }: Partial<TokenRates>): Partial<TokenRates> {
  if (provider !== 'anthropic' || cacheWriteOneHour || !cacheWrite || !input) return {};
  return { cacheWriteOneHour: scaledRate(input, [2, 1]) };
}

type Listed = number | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] };

function toRate(listed: Listed, provider: string): TokenRate {
  if (typeof listed === 'number') return { picoUsdPerToken: picoUsdPerToken(listed) };
  return {
    picoUsdPerToken: picoUsdPerToken(listed.base),
    tiers: listed.tiers.map(({ start, price }) => ({
      aboveInputTokens: CORRECTED_STARTS[provider]?.[start] ?? start,
      picoUsdPerToken: picoUsdPerToken(price),
    })),
  };
}
