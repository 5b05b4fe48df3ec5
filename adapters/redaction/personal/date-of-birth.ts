import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { isDate } from './check-digits.ts';
import { contextWords, hasContextBefore } from './context.ts';
import { visitDigitWords } from './words.ts';

const WORDS = contextWords(
  'birth', 'born', 'dob', 'd\\.o\\.b', 'bday', 'geboren', 'geburtsdatum', 'geb\\.', 'naissance', 'née? le', 'nacimiento', 'nacid[oa]', 'fecha de nac', 'nascita', 'nat[oa] il',
  'nascimento', 'nascid[oa]', 'geboorte', 'född', 'født', 'fødselsdato', 'syntym', 'urodz', 'ur\\.', '生年月日', '出生', '생년월일', 'рождения',
); // biome-ignore format: a list
const MONTH =
  '(?:jan|feb|mar|mär|maa|apr|may|mai|mayo|jun|jui|jul|aug|aoû|ago|sep|oct|okt|out|nov|dec|dez|déc|dic|ene|fév|fev|gen|mag|giu|lug|set|ott|abr)[\\p{L}]{0,9}';
const NUMERIC = /(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)|(\d{1,2})([-/.])(\d{1,2})\6(\d{4}|\d\d)(?!\d)|(\d{4})年(\d{1,2})月(\d{1,2})日/y;
const DAY_FIRST = new RegExp(`\\d{1,2}(?:st|nd|rd|th|º|\\.)?[\\s-](?:of |de )?${MONTH}\\.?,?[\\s-](?:de |del )?\\d{4}(?!\\d)`, 'iuy');
const MONTH_BEFORE = new RegExp(`(?<!\\p{L})${MONTH}\\.?\\s$`, 'iu');
const AFTER_MONTH = /\d{1,2}(?:st|nd|rd|th)?,?\s\d{4}(?!\d)/y;
const REACH = 40;
const LONGEST_MONTH = 14;

/** Dates that words before them say somebody was born on. */
export const dateOfBirthDetector: Detector = {
  name: 'date-of-birth',
  types: ['dateOfBirth'],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start) => {
      const range = dateAt(text, start);
      if (!range || !hasContextBefore(text, range.start, WORDS, REACH)) return undefined;
      findings.push({ type: 'dateOfBirth', ...range });
      return range.end;
    });
    return findings;
  },
};

function dateAt(text: string, start: number): { readonly start: number; readonly end: number } | undefined {
  NUMERIC.lastIndex = start;
  const numeric = NUMERIC.exec(text);
  if (numeric) return isAnyDate(numeric) ? { start, end: NUMERIC.lastIndex } : undefined;
  DAY_FIRST.lastIndex = start;
  if (DAY_FIRST.test(text)) return { start, end: DAY_FIRST.lastIndex };
  AFTER_MONTH.lastIndex = start;
  if (!AFTER_MONTH.test(text)) return undefined;
  const month = MONTH_BEFORE.exec(text.slice(Math.max(0, start - LONGEST_MONTH), start))?.[0];
  return month === undefined ? undefined : { start: start - month.length, end: AFTER_MONTH.lastIndex };
}

function isAnyDate([, y1, , m1, d1, a, , b, y2, y3, m3, d3]: RegExpExecArray): boolean {
  if (y1 !== undefined) return isDate(y1, m1 ?? '', d1 ?? '');
  if (y3 !== undefined) return isDate(y3, m3 ?? '', d3 ?? '');
  return isDate(y2 ?? '', b ?? '', a ?? '') || isDate(y2 ?? '', a ?? '', b ?? '');
}
