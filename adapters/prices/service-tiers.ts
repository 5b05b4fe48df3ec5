import type { PriceTable, TokenKind, TokenRate, TokenRates } from '../../contracts/budget.ts';
import { scaledRate } from '../../domain/budget/exact-rate.ts';

type Factor = readonly [numerator: number, denominator: number];

/** What a service tier costs, as a factor on the standard price. */
interface TierRule {
  readonly provider: string;
  readonly model: RegExp;
  readonly tier: 'batch' | 'flex' | 'priority';
  readonly factor: Factor;
  /** Where cached input has another factor, or the list rounds it up. */
  readonly cachedFactor?: Factor;
}

/** When the rules below were last compared with the providers' pages and LiteLLM's price map. */
export const SERVICE_TIERS_CHECKED = '2026-11-23';

const HALF: Factor = [1, 2];
const WHOLE: Factor = [1, 1];
/** A release of a model may follow its name. */
const named = (...names: readonly string[]): RegExp =>
  new RegExp(`^(?:${names.map((name) => name.replaceAll('.', '\\.')).join('|')})(?:-\\d{4}-\\d{2}-\\d{2})?$`);

/**
 * The tiers whose price is published as a fixed factor. First match wins. A model that no rule names has no price in that tier,
 * and a reply that reports it leaves its money held.
 * Sources: OpenAI's pricing page (batch, flex and priority columns), Anthropic's (batch: half of every rate), Google's for the
 * Gemini API (batch and flex: half; cached input is charged in full where the page says nothing else; priority: 1.8), Groq's
 * (flex: as on demand).
 */
const RULES: readonly TierRule[] = [
  { provider: 'openai', model: named('gpt-5.4'), tier: 'batch', factor: HALF, cachedFactor: [13, 25] },
  { provider: 'openai', model: /^gpt-image/, tier: 'batch', factor: HALF, cachedFactor: [63, 125] },
  { provider: 'openai', model: /^(gpt-(3\.5-turbo-0125|4|5|6)|o\d|text-embedding)(?!.*(realtime|audio|transcribe|tts|search))/, tier: 'batch', factor: HALF },
  { provider: 'openai', model: named('gpt-5.4'), tier: 'flex', factor: HALF, cachedFactor: [13, 25] },
  { provider: 'openai', model: named('o4-mini'), tier: 'flex', factor: HALF, cachedFactor: [138, 275] },
  {
    provider: 'openai',
    model: named('o3', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5.1', 'gpt-5.2', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-pro', 'gpt-5.5', 'gpt-5.5-pro'),
    tier: 'flex',
    factor: HALF,
  },
  { provider: 'openai', model: /^(gpt-5\.6|gpt-6|gpt-6\.1)(-(sol|terra|luna|astra))?$/, tier: 'flex', factor: HALF },
  { provider: 'openai', model: named('gpt-4o'), tier: 'priority', factor: [17, 10] },
  { provider: 'openai', model: named('gpt-4o-mini'), tier: 'priority', factor: [5, 3] },
  { provider: 'openai', model: named('gpt-4.1', 'gpt-4.1-mini', 'o3'), tier: 'priority', factor: [7, 4] },
  { provider: 'openai', model: named('o4-mini'), tier: 'priority', factor: [20, 11] },
  { provider: 'openai', model: named('gpt-5-mini'), tier: 'priority', factor: [9, 5] },
  { provider: 'openai', model: named('gpt-5.5'), tier: 'priority', factor: [5, 2] },
  {
    provider: 'openai',
    model: named('gpt-4.1-nano', 'gpt-5', 'gpt-5.1', 'gpt-5.2', 'gpt-5.3-codex', 'gpt-5.4', 'gpt-5.4-mini'),
    tier: 'priority',
    factor: [2, 1],
  },
  { provider: 'openai', model: /^(gpt-5\.6|gpt-6|gpt-6\.1)(-(sol|terra|luna|astra))?$/, tier: 'priority', factor: [2, 1] },
  { provider: 'anthropic', model: /^claude-/, tier: 'batch', factor: HALF },
  { provider: 'google', model: /^gemini-(2\.5|3)/, tier: 'batch', factor: HALF, cachedFactor: WHOLE },
  { provider: 'google', model: /^gemini-(2\.5|3)/, tier: 'flex', factor: HALF, cachedFactor: WHOLE },
  { provider: 'google', model: /^gemini-(2\.5|3)/, tier: 'priority', factor: [9, 5] },
  { provider: 'groq', model: /./, tier: 'flex', factor: WHOLE },
];

const KINDS: readonly TokenKind[] = [
  'input',
  'cachedInput',
  'cacheWrite',
  'cacheWriteOneHour',
  'output',
  'reasoning',
  'audioInput',
  'cachedAudioInput',
  'audioOutput',
  'imageInput',
  'cachedImageInput',
  'imageOutput',
];

/** The rates of every service tier of a model that has a published factor. */
export function serviceTiersOf(provider: string, model: string, standard: TokenRates): Pick<PriceTable, 'serviceTiers'> {
  const tiers = (['batch', 'flex', 'priority'] as const).flatMap((tier) => {
    const rule = RULES.find((candidate) => candidate.tier === tier && candidate.provider === provider && candidate.model.test(model));
    return rule ? [[tier, ratesOf(standard, rule)] as const] : [];
  });
  return tiers.length === 0 ? {} : { serviceTiers: Object.fromEntries(tiers) };
}

function ratesOf(standard: TokenRates, { factor, cachedFactor = factor }: TierRule): TokenRates {
  const scaled = KINDS.flatMap((kind): [TokenKind, TokenRate][] => {
    const rate = standard[kind];
    return rate ? [[kind, scaledRate(rate, kind.startsWith('cached') ? cachedFactor : factor)]] : [];
  });
  return Object.fromEntries(scaled) as unknown as TokenRates;
}
