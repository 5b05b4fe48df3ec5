import { entropyOf } from './entropy.ts';

export interface SecretRuleOptions {
  /** How many characters of the value come before the keyword. */
  readonly before?: number;
  /** Of a value told by itself: capitals and small letters alike. Those after a label are, unless `exactCase`. */
  readonly anyCase?: boolean;
  readonly exactCase?: boolean;
}

/** Id, keywords joined by commas, form, least entropy (0: any). Group 1 of the form is the value where there is one; it ends the match. */
export type SecretRule = readonly [id: string, keywords: string, form: string, leastEntropy: number, options?: SecretRuleOptions];

/** A rule made ready: looks at one place of a keyword. */
export interface CompiledRule {
  readonly type: string;
  readonly keywords: readonly string[];
  /** The value that the keyword at `[start, end)` belongs to, if there is one. */
  valueAt(text: string, start: number, end: number): { readonly start: number; readonly end: number } | null;
}

/** Between label and value: the rest of the name, quotes, a sign of assignment, quotes. Quotes may be escaped, as in JSON in JSON. */
const ASSIGNMENT = String.raw`[ \t\w.-]{0,20}[\s'"\\]{0,4}(?:=>|\?=|:{1,3}=|=|>|\|\||:|,)[\x60'"\s=\\]{0,6}`;
/** What may follow a value: the end of a quotation, of a list's item, of a sentence, of a line written as `\n`. */
const AFTER_VALUE = String.raw`(?=[\x60'"\s;,)}\]<&]|\\[nrt"']|\.(?:\s|$)|$)`;

/** Rules for values that can be told by themselves. */
export function compileByPrefix([id, keywords, form, leastEntropy, options = {}]: SecretRule): CompiledRule {
  const pattern = new RegExp(`(?:${form})(?![A-Za-z0-9])`, options.anyCase ? 'iy' : 'y');
  return {
    type: `secret.${id}`,
    keywords: keywords.split(','),
    valueAt(text, start) {
      const from = start - (options.before ?? 0);
      if (from < 0 || isLetterOrDigit(text.charCodeAt(from - 1))) return null;
      const value = matchAt(pattern, text, from);
      return value !== null && isRandom(text, value, leastEntropy) ? value : null;
    },
  };
}

/** Rules for values that only their label gives away. A label says little, so without a least entropy of its own a value has a digit. */
export function compileByLabel([id, keywords, form, leastEntropy, options = {}]: SecretRule): CompiledRule {
  const pattern = new RegExp(`${ASSIGNMENT}(${form})${AFTER_VALUE}`, options.exactCase ? 'y' : 'iy');
  return {
    type: `secret.${id}`,
    keywords: keywords.split(','),
    valueAt(text, _start, end) {
      const value = matchAt(pattern, text, end);
      if (value === null || !isRandom(text, value, leastEntropy || 2)) return null;
      return leastEntropy > 0 || /\d/.test(text.slice(value.start, value.end)) ? value : null;
    },
  };
}

function isRandom(text: string, { start, end }: { start: number; end: number }, leastEntropy: number): boolean {
  return leastEntropy === 0 || entropyOf(text.slice(start, end)) > leastEntropy;
}

/** Where group 1 (else the match) stands, if the sticky pattern matches at that very place. */
export function matchAt(pattern: RegExp, text: string, from: number): { start: number; end: number } | null {
  pattern.lastIndex = from;
  const match = pattern.exec(text);
  if (match === null) return null;
  const end = from + match[0].length;
  return { start: end - (match[1] ?? match[0]).length, end };
}

export function isLetterOrDigit(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
}
