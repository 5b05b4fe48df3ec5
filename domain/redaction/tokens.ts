import type { Finding, TokenSource } from './port.ts';

/** `⟦email:1⟧` stands for a value, `⟦email⟧` says that one was masked. Nothing else may keep these brackets. */
const MARK = /⟦([A-Za-z][A-Za-z0-9._-]{0,99})(?::\d{1,9})?⟧/g;
const BRACKETS = /[⟦⟧]/;

export const maskFor = (type: string): string => `⟦${type}⟧`;
export const formatToken = (type: string, number: number): string => `⟦${type}:${number}⟧`;

/** The tokens of one run, in memory. */
export class RunTokens implements TokenSource {
  readonly #byValue = new Map<string, string>();
  readonly #byToken = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #first: number;

  constructor(first = 1) {
    this.#first = first;
  }

  tokenFor(type: string, value: string): string {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const number = (this.#counts.get(type) ?? this.#first - 1) + 1;
    const token = formatToken(type, number);
    this.#counts.set(type, number);
    this.#byValue.set(value, token);
    this.#byToken.set(token, value);
    return token;
  }

  knows(token: string): boolean {
    return this.#byToken.has(token);
  }

  /** Every token with its value, in the order they were given out. */
  entries(): IterableIterator<[token: string, value: string]> {
    return this.#byToken.entries();
  }
}

/** What may stay between the brackets: tokens that the run gave out, and masks of types that there are. */
export interface KnownMarks {
  readonly tokens: TokenSource;
  readonly isType: (type: string) => boolean;
}

/**
 * Takes the brackets from whatever looks like a token or mask and isn't one, code unit for code unit, so offsets stay. `known` is
 * null for text from outside, where every one is forged. Gives back where the genuine ones stand.
 */
export function disarm(text: string, known: KnownMarks | null): { readonly text: string; readonly marks: readonly Finding[] } {
  if (!BRACKETS.test(text)) return { text, marks: [] };
  const marks = known === null ? [] : genuineMarks(text, known);
  let disarmed = '';
  let from = 0;
  for (const { start, end } of marks) {
    disarmed += withoutBrackets(text.slice(from, start)) + text.slice(start, end);
    from = end;
  }
  return { text: disarmed + withoutBrackets(text.slice(from)), marks };
}

function genuineMarks(text: string, { tokens, isType }: KnownMarks): Finding[] {
  return [...text.matchAll(MARK)].flatMap((match): Finding[] => {
    const [mark, type = ''] = match;
    const isGenuine = mark === maskFor(type) ? isType(type) : tokens.knows(mark);
    return isGenuine ? [{ type, start: match.index, end: match.index + mark.length }] : [];
  });
}

const withoutBrackets = (text: string): string => text.replaceAll('⟦', '[').replaceAll('⟧', ']');
