import type { NanoUsd, PriceTable, TokenKind, TokenRate, TokenRates } from '../../contracts/budget.ts';
import type { ModelReply, TokenUsage } from '../../contracts/model.ts';
import { ceilToNano, type ExactAmount, exactNano, exactRate, exactUsd, rateAt } from './exact-rate.ts';

/** No call has more tokens than this; a provider that reports more has lost count. */
export const MAX_TOKENS = 100_000_000;

/** Names by which providers report that a call ran as an ordinary one. */
const STANDARD_TIERS: ReadonlySet<string> = new Set(['', 'default', 'standard', 'auto', 'on_demand']);

/** Tokens of one kind at the rate they were charged at. */
export interface CostPart {
  readonly kind: TokenKind;
  readonly tokens: number;
  readonly picoUsdPerToken: number;
}

export interface PricedCost {
  readonly type: 'priced';
  /** Rounded up once, at the end. */
  readonly nanoUsd: NanoUsd;
  /** Before rounding, in USD. */
  readonly exactUsd: string;
  readonly serviceTier: string;
  /** The long-context tier that repriced the request; null below all of them. */
  readonly aboveInputTokens: number | null;
  readonly parts: readonly CostPart[];
  /** The provider's own statement of its charge, not a sum of ours. */
  readonly isReported?: true;
}

export type Cost = PricedCost | { readonly type: 'unpriced'; readonly reason: string };

/**
 * What a call costs and how that comes about. Every token is counted once: cached, written, audio and image tokens are parts of
 * the input, reasoning is part of the output. The service tier is the one that the response reports. Never a guess below the
 * bill: what has no rate, and counts that contradict each other, are `unpriced`, and such a call's money stays held.
 */
export function explainCost(price: PriceTable, usage: TokenUsage, reportedTier: string | null = null): Cost {
  const senseless = contradictionIn(usage);
  if (senseless) return { type: 'unpriced', reason: senseless };
  const serviceTier = STANDARD_TIERS.has(reportedTier ?? '') ? 'standard' : (reportedTier ?? '').toLowerCase();
  if (price.isChargedAsReported && usage.reportedNanoUsd !== undefined && usage.reportedNanoUsd > 0)
    return {
      type: 'priced',
      nanoUsd: usage.reportedNanoUsd,
      exactUsd: exactUsd(exactNano(usage.reportedNanoUsd)),
      serviceTier,
      aboveInputTokens: null,
      parts: [],
      isReported: true,
    };
  const rates = ratesOf(price, serviceTier);
  if (!rates) return { type: 'unpriced', reason: `no price is known for the service tier "${serviceTier}" of ${price.model}` };

  const parts: CostPart[] = [];
  let total: ExactAmount = 0n;
  let above: number | null = null;
  for (const [kind, tokens] of tokensByKind(usage)) {
    if (tokens === 0) continue;
    const rate = rateFor(rates, kind);
    if (!rate) return { type: 'unpriced', reason: `no price is known for the ${tokens} ${KIND_NAMES[kind]} tokens of ${price.model}` };
    const { picoUsdPerToken, aboveInputTokens } = rateAt(rate, usage.inputTokens);
    parts.push({ kind, tokens, picoUsdPerToken });
    total += BigInt(tokens) * exactRate(picoUsdPerToken);
    above = Math.max(above ?? 0, aboveInputTokens ?? 0) || null;
  }
  return { type: 'priced', nanoUsd: ceilToNano(total), exactUsd: exactUsd(total), serviceTier, aboveInputTokens: above, parts };
}

/** The cost of one call in nano-USD; null where it can't be priced, which leaves its money held. */
export function costOf(price: PriceTable, usage: TokenUsage, reportedTier: string | null = null): NanoUsd | null {
  const cost = explainCost(price, usage, reportedTier);
  return cost.type === 'priced' ? cost.nanoUsd : null;
}

/** The rates of a service tier; null where the list has none. */
export function ratesOf(price: PriceTable, serviceTier: string): TokenRates | null {
  if (STANDARD_TIERS.has(serviceTier)) return price;
  const { serviceTiers = {} } = price;
  return Object.hasOwn(serviceTiers, serviceTier) ? (serviceTiers[serviceTier] ?? null) : null;
}

/** The usage of a reply; null where it can't be that of this reply: something was said, and nothing was counted. */
export function usageOfReply(usage: TokenUsage | null, reply: Pick<ModelReply, 'text' | 'refusal' | 'toolCalls'>): TokenUsage | null {
  const saidSomething = Boolean(reply.text || reply.refusal || reply.toolCalls.length > 0);
  const isEmpty = usage !== null && saidSomething && (usage.inputTokens === 0 || usage.outputTokens === 0);
  return isEmpty ? null : usage;
}

export const KIND_NAMES: Readonly<Record<TokenKind, string>> = {
  input: 'input',
  cachedInput: 'cached input',
  cacheWrite: 'cache write',
  cacheWriteOneHour: 'one-hour cache write',
  output: 'output',
  reasoning: 'reasoning',
  audioInput: 'audio input',
  cachedAudioInput: 'cached audio input',
  audioOutput: 'audio output',
  imageInput: 'image input',
  cachedImageInput: 'cached image input',
  imageOutput: 'image output',
};

function rateFor(rates: TokenRates, kind: TokenKind): TokenRate | undefined {
  switch (kind) {
    case 'cachedInput':
      return rates.cachedInput ?? rates.input;
    case 'reasoning':
      return rates.reasoning ?? rates.output;
    case 'imageInput':
      return rates.imageInput ?? rates.input;
    case 'cachedAudioInput':
      return rates.cachedAudioInput ?? rates.audioInput;
    case 'cachedImageInput':
      return rates.cachedImageInput ?? rates.imageInput ?? rates.cachedInput ?? rates.input;
    default:
      return rates[kind];
  }
}

/**
 * Which tokens are charged as what, every token once. Where audio or images and the cache overlap and the provider does not
 * say how far, the fewest tokens possible count as cached.
 */
function tokensByKind(usage: TokenUsage): readonly (readonly [TokenKind, number])[] {
  const { inputTokens, outputTokens, cachedInputTokens: cached, cacheWriteTokens: written, reasoningTokens: reasoning } = usage;
  const { cacheWriteOneHourTokens: oneHour = 0, cachedAudioInputTokens: cachedAudio = 0, cachedImageInputTokens: cachedImage = 0 } = usage;
  const { audioInputTokens: audio = 0, imageInputTokens: image = 0, audioOutputTokens: audioOut = 0, imageOutputTokens: imageOut = 0 } = usage;
  const media = audio - cachedAudio + image - cachedImage;
  const cachedText = Math.max(0, Math.min(cached - cachedAudio - cachedImage, inputTokens - written - media - cachedAudio - cachedImage));
  const plain = Math.max(0, inputTokens - written - media - cachedAudio - cachedImage - cachedText);
  return [
    ['input', plain],
    ['cachedInput', cachedText],
    ['cacheWrite', written - oneHour],
    ['cacheWriteOneHour', oneHour],
    ['audioInput', audio - cachedAudio],
    ['cachedAudioInput', cachedAudio],
    ['imageInput', image - cachedImage],
    ['cachedImageInput', cachedImage],
    ['output', Math.max(0, outputTokens - reasoning - audioOut - imageOut)],
    ['reasoning', Math.min(reasoning, outputTokens - audioOut - imageOut)],
    ['audioOutput', audioOut],
    ['imageOutput', imageOut],
  ];
}

/** What is wrong with the counts; null where they agree with each other. */
function contradictionIn(usage: TokenUsage): string | null {
  for (const [name, count] of Object.entries(usage))
    if (name !== 'reportedNanoUsd' && (!Number.isSafeInteger(count) || count < 0 || count > MAX_TOKENS))
      return `${name} is ${count}, which is no number of tokens that one call can have`;
  const { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, reasoningTokens } = usage;
  const { cacheWriteOneHourTokens = 0, audioInputTokens = 0, imageInputTokens = 0, cachedAudioInputTokens = 0, cachedImageInputTokens = 0 } = usage;
  const { audioOutputTokens = 0, imageOutputTokens = 0 } = usage;
  if (cachedInputTokens + cacheWriteTokens > inputTokens)
    return `${cachedInputTokens} cached and ${cacheWriteTokens} written tokens are more than the ${inputTokens} of the input they are part of`;
  if (cacheWriteOneHourTokens > cacheWriteTokens) return 'the one-hour cache writes are more than all cache writes';
  if (audioInputTokens + imageInputTokens > inputTokens) return 'the audio and image tokens are more than the input they are part of';
  if (
    cachedAudioInputTokens > audioInputTokens ||
    cachedImageInputTokens > imageInputTokens ||
    cachedAudioInputTokens + cachedImageInputTokens > cachedInputTokens
  )
    return 'the cached audio and image tokens are more than the tokens they are part of';
  if (reasoningTokens > outputTokens) return `${reasoningTokens} reasoning tokens are more than the ${outputTokens} of the output they are part of`;
  if (audioOutputTokens + imageOutputTokens > outputTokens) return 'the audio and image tokens are more than the output they are part of';
  return null;
}
