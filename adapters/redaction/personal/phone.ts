import { type CountryCode, parsePhoneNumberFromString } from 'libphonenumber-js/min';
import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { isDate } from './check-digits.ts';
import { isNational, supportedRegions } from './phone-region.ts';
import { type PhoneWindow, phoneWindowAt } from './phone-window.ts';
import { isDigitAt, isWordAt, visitDigitWords } from './words.ts';

/** Say what the number after them is. */
const LABEL =
  /(?:phone|(?<!\p{L})(?:tele?|telefon[eo]?|teléfono|téléphone|t[ée]l|mob(?:ile?)?|mobiel|m[óo]vil|cell(?:ular(?:e)?)?|celular|portable|handy|fax|whats\s?app|signal|sms|gsm|natel|puhelin|komórka|landline|hotline|telefax|direct line|(?:call|dial|ring|text|reach|contact|fax)(?: (?:me|us|him|her|them))?(?: back)?(?: (?:at|on|under))|answering (?:at|on)|messages? (?:to|at|on)|(?:contact|registered|callback|emergency contact) (?:number|no\.?|is))(?:[\s_-]?(?:number|no|nr)\b)?(?!\p{L})|電話|携帯|电话|手机|전화|телефон|هاتف)[^\p{Nd}]{0,24}$/u;
/** Also say where somebody is: only right before the number. */
const PLACE = /(?<!\p{L})(?:office|home|work|main|desk)(?: (?:number|no\.?|line))?[\s:.#-]{1,6}$/u;
/** Right before a number in groups. */
const VERB = /(?<!\p{L})(?:call|dial|ring|text|phone|fax)\s$/u;
const LABEL_AFTER = /^[\s\-–,(]{0,3}(?:office|fax|mobile|cell|home|work|phone|tel|desk)(?!\p{L})/iu;
/** Shapes that hardly anything else has: North America's, with area and exchange; France's five pairs. */
const OWN_SHAPE = /^(?:\+?1[-. ])?(?:\([2-9]\d\d\)[ -]?\d{3}[-. ]\d{4}|[2-9]\d\d([-.])\d{3}\1\d{4})$|^0[1-9](?:([ .-])\d\d)(?:\2\d\d){3}$/;
const MIN_DIGITS = 6;
/** In one piece. */
const MIN_SOLID_DIGITS = 7;
const MAX_DIGITS = 15;
const MAX_NATIONAL_DIGITS = 13;
const REACH = 44;

/**
 * Phone numbers: international ones, ones of the tenant's regions, ones behind a word such as `mobile:`, and two shapes that
 * speak for themselves. Digits in one piece need the first or a word.
 */
export const phoneDetector: Detector = {
  name: 'phone',
  types: ['phone'],
  find(text, context) {
    const regions = supportedRegions(context.regions);
    const findings: Finding[] = [];
    visitDigitWords(text, (start) => {
      if (!isBeginning(text, start)) return undefined;
      const window = phoneWindowAt(text, start, MIN_DIGITS);
      if (typeof window === 'number') return window;
      if (isOtherNumber(text, window)) return undefined;
      const end = isPhone(text, window, regions) ? window.endWithExtension : undefined;
      if (end !== undefined) findings.push({ type: 'phone', start: window.start, end });
      return end;
    });
    return findings;
  },
};

/** Not within a word, a decimal, a path or a longer number. */
function isBeginning(text: string, start: number): boolean {
  if (!isDigitAt(text, start)) return false;
  const before = text[start - 1] ?? ' ';
  if (/[$€£#%@_]/.test(before)) return false;
  return !(/[-.,/:]/.test(before) && isWordAt(text, start - 2)) || isAfterLabel(text, start);
}

const DATE = /^(?:(\d{4})([-/.])(\d{1,2})\2(\d{1,2})|(\d{1,2})([-/.])(\d{1,2})\6(\d{4}))(?: \d{1,2})?$/;

/** `0.56 (0.51–0.67)` and such; France's `01.84.17.61.18` has no other sign. */
const DECIMALS = /(?<!\d\.)(?<![\d])\d+\.\d{1,2}(?![\d.])/;

/** Dates, IPv4 addresses, amounts in groups of thousands, and US social security numbers. */
function isOtherNumber(text: string, { start, end }: PhoneWindow): boolean {
  const written = text.slice(start, end);
  const date = DATE.exec(written);
  if (date) {
    const [, y1, , m1, d1, d2, , m2, y2] = date;
    const [year, month, day] = [y1 ?? y2 ?? '', m1 ?? m2 ?? '', d1 ?? d2 ?? ''];
    return isDate(year, month, day) || isDate(year, day, month);
  }
  return (
    DECIMALS.test(written) ||
    /^\d{1,3}(?:\.\d{1,3}){3}$|^\d{3}-\d\d-\d{4}$/.test(written) ||
    /^[1-9]\d{0,2}(?:\.\d{3}){2,}$/.test(written) ||
    /^\d+\.\d+$/.test(written)
  );
}

function isPhone(text: string, window: PhoneWindow, regions: readonly CountryCode[]): boolean {
  if (window.digits.length > MAX_DIGITS) return false;
  const written = text.slice(window.start, window.end);
  if (window.groups.length === 1 && window.digits.length < MIN_SOLID_DIGITS) return false;
  if (written.startsWith('+') || written.startsWith('(+')) return isInternational(written);
  if (window.digits.startsWith('00') && parsePhoneNumberFromString(`+${window.digits.slice(2)}`)?.isPossible()) return true;
  if (OWN_SHAPE.test(written) || isLabelled(text, window)) return true;
  if (window.digits.length > MAX_NATIONAL_DIGITS) return false;
  return regions.some((region) => isNational(written, window, region));
}

/** Of a possible length for its country; `(0)` is dropped as people mean it. */
function isInternational(written: string): boolean {
  return parsePhoneNumberFromString(written.replace('(0)', ''))?.isPossible() ?? false;
}

function isLabelled(text: string, { start, endWithExtension, groups }: PhoneWindow): boolean {
  if (LABEL_AFTER.test(text.slice(endWithExtension, endWithExtension + 14))) return true;
  return isAfterLabel(text, start) || (groups.length > 1 && VERB.test(text.slice(Math.max(0, start - 7), start).toLowerCase()));
}

/** The words before, down to the last digit in them: another number's label is not this one's. */
function isAfterLabel(text: string, start: number): boolean {
  let from = start;
  while (from > 0 && start - from < REACH && !isDigitAt(text, from - 1)) from -= 1;
  const before = text.slice(from, start).toLowerCase();
  return before.length >= 3 && (LABEL.test(before) || PLACE.test(before));
}
