import { isDigitAt, isWordAt } from './words.ts';

/** A run of digit groups that may be a phone number. */
export interface PhoneWindow {
  readonly start: number;
  /** Without an extension. */
  readonly end: number;
  /** With one: `x4587`, ` ext. 12`. */
  readonly endWithExtension: number;
  readonly digits: string;
  /** The digits of each group, by its length. */
  readonly groups: readonly number[];
}

const SIGNS = new Set([...' -.()/\u00a0\u202f\u2010\u2011\u2013'].map((sign) => sign.charCodeAt(0)));
/** Between two groups: `) `, ` (0)`, `-`. */
const MAX_SIGNS = 3;
const MAX_DIGITS = 17;
/** How far a run of too many digits is skipped at once. */
const MAX_SKIPPED = 200;
const EXTENSION = /\s?(?:x|ext\.?|extension|durchwahl|#)\s?\d{1,6}(?![0-9A-Za-z])/iy;

/**
 * The window from the first digit of a number on; where there are too few or too many digits for a phone number, or a letter
 * follows, the index where to go on. A long run of digits and signs (a table) is skipped as a whole, so that it is not read
 * again and again.
 */
export function phoneWindowAt(text: string, firstDigit: number, minDigits: number): PhoneWindow | number {
  const groups: number[] = [];
  let count = 0;
  let end = firstDigit;
  for (let at = firstDigit; ; ) {
    const groupStart = at;
    while (isDigitAt(text, at) && at - groupStart <= MAX_DIGITS) at += 1;
    groups.push(at - groupStart);
    count += at - groupStart;
    end = at;
    if (count > MAX_DIGITS) return endOfRun(text, at);
    const next = nextGroup(text, at);
    if (next === undefined) break;
    at = next;
  }
  if (count < minDigits) return end;
  const start = startOf(text, firstDigit);
  if (text[end] === ')' && text.slice(start, end).includes('(')) end += 1;
  EXTENSION.lastIndex = end;
  const endWithExtension = end + (EXTENSION.exec(text)?.[0].length ?? 0);
  if (isWordAt(text, endWithExtension)) return end;
  return { start, end, endWithExtension, digits: text.slice(start, end).replace(/\D/g, ''), groups };
}

function endOfRun(text: string, from: number): number {
  let end = from;
  while (end - from < MAX_SKIPPED && (isDigitAt(text, end) || SIGNS.has(text.charCodeAt(end)))) end += 1;
  return end;
}

function startOf(text: string, firstDigit: number): number {
  const start = text[firstDigit - 1] === '(' ? firstDigit - 1 : firstDigit;
  return text[start - 1] === '+' ? start - 1 : start;
}

/** Where the next group begins, if only signs are between. */
function nextGroup(text: string, at: number): number | undefined {
  for (let index = at; index < at + MAX_SIGNS; index += 1) {
    if (!SIGNS.has(text.charCodeAt(index))) return undefined;
    if (isDigitAt(text, index + 1)) return index + 1;
  }
  return undefined;
}
