import { hash } from 'node:crypto';
import type { TextMeasure } from '../../domain/budget/input-bound.ts';

/** The encodings of OpenAI's models, as their tokenizer calls them. */
export type Encoding = 'o200k_base' | 'cl100k_base';

/** Special tokens in a text from outside are text to OpenAI, never marks. */
const AS_TEXT = { disallowedSpecial: new Set<string>() };
/** Beyond this a text is bounded by its bytes: counting it would hold the process up. */
const MAX_COUNTED_LENGTH = 131_072;
/**
 * A stretch without a border, whose count takes time by the square of its length. Borders are between letters, digits, signs and
 * spaces, in both encodings.
 */
const LONG_STRETCH = /[\p{L}\p{M}]{512}|[^\s\p{L}\p{N}]{512}|\s{512}/u;
/** Shorter texts are counted again: that is quicker than naming them. */
const MIN_KEPT_LENGTH = 128;
const MAX_KEPT = 20_000;
/** Merged stretches that the tokenizer keeps of its own, which would else be 100,000. */
const MERGE_CACHE = 20_000;

/** The encoding of one of OpenAI's models by its name; null where it is not known, which bounds it by bytes. */
export function encodingOf(model: string): Encoding | null {
  const name = model.replace(/^ft:/, '');
  if (/^(gpt-5|gpt-4\.1|gpt-4\.5|gpt-4o|chatgpt-4o|o[134])([-.:]|$)/.test(name)) return 'o200k_base';
  return /^(gpt-4|gpt-3\.5-turbo)([-:]|$)/.test(name) ? 'cl100k_base' : null;
}

const measures = new Map<Encoding, Promise<TextMeasure>>();

/**
 * Loads an encoding at its first use (0.2 s, 75 MB), because most calls fit by their bytes and need none. Counts are kept by the
 * text's digest, so that a growing transcript is counted once.
 */
export function measureOf(encoding: Encoding): Promise<TextMeasure> {
  const known = measures.get(encoding) ?? load(encoding);
  measures.set(encoding, known);
  return known;
}

async function load(encoding: Encoding): Promise<TextMeasure> {
  const { countTokens, setMergeCacheSize } = await (encoding === 'o200k_base'
    ? import('gpt-tokenizer/encoding/o200k_base')
    : import('gpt-tokenizer/encoding/cl100k_base'));
  setMergeCacheSize(MERGE_CACHE);
  const kept = new Map<string, number>();
  const bytes = (text: string) => Buffer.byteLength(text, 'utf8');
  const count = (text: string) => (text.length > MAX_COUNTED_LENGTH || LONG_STRETCH.test(text) ? bytes(text) : countTokens(text, AS_TEXT));
  return {
    bytes,
    tokens(text) {
      if (text.length < MIN_KEPT_LENGTH) return count(text);
      const key = hash('sha256', text, 'base64');
      const found = kept.get(key) ?? count(text);
      // The one that was asked for longest ago goes.
      kept.delete(key);
      kept.set(key, found);
      if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value ?? key);
      return found;
    },
  };
}

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
const ASCII = /[\u0000-\u007f]+/g;

/** UTF-8 bytes of the longest form that a tokenizer may make of a text: some normalise first, which can make it longer (one Arabic ligature becomes eighteen letters). */
export function longestFormBytes(text: string): number {
  const bytes = Buffer.byteLength(text, 'utf8');
  // One byte a unit is ASCII, which no normalisation takes apart; where it joins a mark that follows, the two get no longer.
  if (bytes === text.length) return bytes;
  const others = text.replace(ASCII, '');
  const bytesOfOthers = Buffer.byteLength(others, 'utf8');
  return bytes - bytesOfOthers + Math.max(bytesOfOthers, ...FORMS.map((form) => Buffer.byteLength(others.normalize(form), 'utf8')));
}
