import { z } from 'zod';
import type { TokenKind } from '../../contracts/budget.ts';
import type { ModelPrice, PriceFile } from './override-file.ts';

/** What LiteLLM's map calls our kinds of tokens, in USD per token. */
const KINDS: Readonly<Record<string, TokenKind>> = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cachedInput',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'cacheWriteOneHour',
  output_cost_per_reasoning_token: 'reasoning',
  input_cost_per_audio_token: 'audioInput',
  cache_read_input_audio_token_cost: 'cachedAudioInput',
  output_cost_per_audio_token: 'audioOutput',
  input_cost_per_image_token: 'imageInput',
  cache_read_input_image_token_cost: 'cachedImageInput',
  output_cost_per_image_token: 'imageOutput',
};
const FIELD = new RegExp(
  `^(${Object.keys(KINDS)
    .sort((a, b) => b.length - a.length)
    .join('|')})(?:_above_(\\d+)k_tokens)?(?:_([a-z]+))?$`,
);
/** A charge on top of the tokens of every call, which a usage does not show. */
const PER_CALL = /^(input_cost_per_request|input_cost_per_query|citation_cost_per_token|(input|output)_dbu_cost_per_token|input_cost_per_text_message)$/;
const WITHOUT_OUTPUT: ReadonlySet<unknown> = new Set(['embedding', 'moderation', 'rerank']);

const mapSchema = z.record(z.string().min(1).max(300), z.unknown());
const number = z.number().min(0);

export interface ImportedMap {
  readonly models: readonly ModelPrice[];
  readonly refused: readonly { readonly model: string; readonly reason: string }[];
}

/** Reads LiteLLM's `model_prices_and_context_window.json`: every entry becomes a price of ours or is refused with a reason. Never throws. */
export function importLiteLlmMap(value: unknown, { date, only }: { readonly date: string; readonly only?: readonly string[] }): ImportedMap {
  const parsed = mapSchema.safeParse(value);
  if (!parsed.success) return { models: [], refused: [{ model: '*', reason: `this is no map of models: ${z.prettifyError(parsed.error)}` }] };
  const models: ModelPrice[] = [];
  const refused: { model: string; reason: string }[] = [];
  for (const model of only ?? Object.keys(parsed.data)) {
    const read = Object.hasOwn(parsed.data, model) ? readEntry(model, parsed.data[model], date) : 'the map has no such entry';
    if (typeof read === 'string') refused.push({ model, reason: read });
    else models.push(read);
  }
  return { models, refused };
}

export function priceFileOf(models: readonly ModelPrice[], source: string, date: string): PriceFile {
  return { version: 1, source, date, models: [...models] };
}

type Rates = Partial<Record<TokenKind, number>>;
interface Tier {
  readonly rates: Rates;
  readonly above: Map<number, Rates>;
}

function readEntry(model: string, value: unknown, date: string): ModelPrice | string {
  if (model === 'sample_spec') return 'the description of the format, no model';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'the entry is no object';
  const entry = value as Readonly<Record<string, unknown>>;
  const tiers = new Map<string, Tier>();
  for (const [field, cost] of Object.entries(entry)) {
    if (PER_CALL.test(field) && cost !== 0) return `${field} is a charge that a count of tokens does not show`;
    const [, kindName = '', thousands, tierName = 'standard'] = FIELD.exec(field) ?? [];
    const kind = KINDS[kindName];
    if (!kind || cost === null) continue;
    const usd = number.safeParse(typeof cost === 'string' ? Number(cost) : cost);
    if (!usd.success) return `${field} is no price: ${JSON.stringify(cost)}`;
    const tier = tiers.get(tierName) ?? { rates: {}, above: new Map() };
    tiers.set(tierName, tier);
    const rates = thousands === undefined ? tier.rates : (tier.above.get(Number(thousands) * 1_000) ?? {});
    if (thousands !== undefined) tier.above.set(Number(thousands) * 1_000, rates);
    rates[kind] = Number((usd.data * 1e6).toPrecision(15));
  }
  return toModelPrice(model, entry, tiers, date);
}

function toModelPrice(
  model: string,
  { litellm_provider: provider, mode }: Readonly<Record<string, unknown>>,
  tiers: Map<string, Tier>,
  date: string,
): ModelPrice | string {
  const standard = tiers.get('standard');
  if (standard?.rates.input === undefined) return `it has no price per input token (mode ${String(mode ?? 'unknown')})`;
  if (standard.rates.output === undefined && !WITHOUT_OUTPUT.has(mode)) return `it has no price per output token (mode ${String(mode ?? 'unknown')})`;
  const others = [...tiers].filter(([name]) => name !== 'standard');
  return {
    model,
    ...(typeof provider === 'string' && provider !== '' ? { provider } : {}),
    effectiveAt: date,
    usdPerMillion: { ...standard.rates, input: standard.rates.input, output: standard.rates.output ?? 0 },
    ...longContextOf(standard),
    ...(others.length === 0
      ? {}
      : {
          serviceTiers: Object.fromEntries(
            others.map(([name, tier]) => [name === 'batches' ? 'batch' : name, { usdPerMillion: tier.rates, ...longContextOf(tier) }]),
          ),
        }),
  };
}

function longContextOf({ above }: Tier): Pick<ModelPrice, 'longContext'> {
  if (above.size === 0) return {};
  return { longContext: [...above].map(([aboveInputTokens, usdPerMillion]) => ({ aboveInputTokens, usdPerMillion })) };
}
