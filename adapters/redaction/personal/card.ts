import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { isLuhn, isMonotonous } from './check-digits.ts';
import { contextWords, hasContext } from './context.ts';
import { isDigitAt, isWordAt, visitDigitWords } from './words.ts';

/** Issuers by the first digits, with the lengths they give out. A `weak` one needs a word near it: too much else begins so. */
const ISSUERS: readonly { readonly prefix: RegExp; readonly lengths: readonly number[]; readonly weak?: true }[] = [
  { prefix: /^4/, lengths: [16, 19] },
  { prefix: /^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, lengths: [16] },
  { prefix: /^3[47]/, lengths: [15] },
  { prefix: /^3(?:0[0-59]|[689])/, lengths: [14] },
  { prefix: /^(?:3[0689])/, lengths: [16, 19] },
  { prefix: /^(?:6011|64[4-9]|65|622)/, lengths: [16, 19] },
  { prefix: /^35(?:2[89]|[3-8])/, lengths: [16, 19] },
  { prefix: /^(?:2131|1800)/, lengths: [15] },
  { prefix: /^(?:62|81)/, lengths: [16, 17, 18, 19] },
  { prefix: /^(?:60|65|81|82|508|353|356|220[0-4]|9792)/, lengths: [16] },
  { prefix: /^/, lengths: [12, 13, 14, 15, 16, 17, 18, 19], weak: true },
];
const WORDS = contextWords(
  'card',
  'credit',
  'debit',
  'visa',
  'amex',
  'american express',
  'mastercard',
  'maestro',
  'discover',
  'diners',
  'jcb',
  'cc',
  'karte',
  'carte',
  'tarjeta',
  'carta',
  'pan',
);
const SEPARATORS = ' -.\u00a0\u202f\u2011';
/** Groups as cards print them. */
const GROUPINGS = /^(?:4(?: 4){2,3}(?: [1-4])?|4 6 [45]|6 13|8 8|4 4 4 7|4 4 5)$/;
const MAX_DIGITS = 19;

/** Card numbers of known issuers with a right check digit, in one piece or in the groups that cards print. */
export const cardDetector: Detector = {
  name: 'card',
  types: ['creditCard'],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start) => {
      const end = endOfCard(text, start);
      if (end !== undefined) findings.push({ type: 'creditCard', start, end });
      return end;
    });
    return findings;
  },
};

/** The longest card number from here. */
function endOfCard(text: string, start: number): number | undefined {
  if (!isDigitAt(text, start) || isWithinNumber(text, start)) return undefined;
  const separator = firstSeparator(text, start);
  let digits = '';
  let grouping = '';
  let longest: number | undefined;
  for (let at = start; ; at += 1) {
    const groupStart = at;
    while (isDigitAt(text, at) && digits.length <= MAX_DIGITS) {
      digits += text[at];
      at += 1;
    }
    if (at === groupStart || isWordAt(text, at)) return longest;
    grouping += `${grouping === '' ? '' : ' '}${at - groupStart}`;
    if ((groupStart === start || GROUPINGS.test(grouping)) && isCard(text, start, at, digits)) longest = at;
    if (separator === undefined || text[at] !== separator) return longest;
  }
}

/** A number goes on to the left of here. */
const isWithinNumber = (text: string, start: number) => /[.\-+]/.test(text[start - 1] ?? ' ') && (isDigitAt(text, start - 2) || text[start - 1] === '+');

function firstSeparator(text: string, start: number): string | undefined {
  let at = start;
  while (isDigitAt(text, at) && at - start < 9) at += 1;
  const sign = text[at] ?? '';
  return sign !== '' && SEPARATORS.includes(sign) ? sign : undefined;
}

function isCard(text: string, start: number, end: number, digits: string): boolean {
  if (digits.length < 12 || digits.length > MAX_DIGITS || !isLuhn(digits) || isMonotonous(digits)) return false;
  if (/[.-]/.test(text[end] ?? '') && isDigitAt(text, end + 1)) return false;
  const issuers = ISSUERS.filter(({ prefix, lengths }) => lengths.includes(digits.length) && prefix.test(digits));
  return issuers.some(({ weak }) => !weak) || (issuers.length > 0 && hasContext(text, start, end, WORDS));
}
