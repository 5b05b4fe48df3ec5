import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { weightedSum } from './check-digits.ts';
import { contextWords, hasContextBefore } from './context.ts';
import { isDigitAt, isWordAt, visitDigitWords } from './words.ts';

interface LabelledKind {
  readonly type: string;
  /** Of the number as it stands, joined groups and all. */
  readonly isForm: (number: string) => boolean;
  /** Must stand shortly before it. */
  readonly label: RegExp;
}

const routing = (number: string) =>
  /^(?:0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)\d{7}$/.test(number) && weightedSum(number, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0;

/** Numbers whose form says little: only a label makes them personal. */
const KINDS: readonly LabelledKind[] = [
  { type: 'bankRouting', isForm: routing, label: contextWords('routing', 'aba', 'rtn', 'transit number') },
  { type: 'bankRouting', isForm: (number) => /^\d\d[- ]\d\d[- ]\d\d$|^\d{6}$/.test(number), label: contextWords('sort code', 'sortcode') },
  { type: 'bankRouting', isForm: (number) => /^\d{8}$|^\d{3} \d{3} \d\d$/.test(number), label: contextWords('bankleitzahl', 'blz') },
  {
    type: 'bankAccount',
    isForm: (number) => /^\d{6,17}$|^\d{2,6}(?:[- ]\d{2,6}){1,4}$/.test(number) && number.replace(/\D/g, '').length >= 6,
    label: contextWords(
      'account number',
      'account no',
      'account #',
      'acct',
      'bank account',
      'a/c',
      'kontonummer',
      'konto nr',
      'numéro de compte',
      'número de cuenta',
      'numero di conto',
    ),
  },
  {
    type: 'passport',
    isForm: (number) => /^(?=(?:.*\d){5})[A-Z0-9]{6,10}$/i.test(number),
    label: contextWords('passport', 'passeport', 'reisepass', 'passnummer', 'pasaporte', 'passaporto', 'paspoort', 'パスポート', '护照'),
  },
  {
    type: 'driversLicence',
    isForm: (number) => /^(?=(?:.*\d){5})[A-Z0-9]{5,20}$|^\d{3,4}-\d{2,4}-\d{4}$|^[A-Z]\d{3}-\d{3,4}-\d{3,4}(?:-\d{3})?$/i.test(number),
    label: contextWords(
      "driver'?s?'? li[cs]en[cs]e",
      'driving li[cs]en[cs]e',
      'drivers li[cs]en[cs]e',
      'driver\u2019s li[cs]en[cs]e',
      'license number',
      'licence number',
      'dl number',
      'dl #',
      'dl no',
      'führerschein',
      'permis de conduire',
    ),
  },
];
/** From the label to the number: `account number is:`, not the sentence before. */
const REACH = 34;
const MAX_LENGTH = 26;

/** Bank accounts and routing numbers, passports and driving licences, by the words before them. */
export const labelledNumberDetector: Detector = {
  name: 'labelled-number',
  types: [...new Set(KINDS.map(({ type }) => type))],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start, end) => {
      if (end - start > MAX_LENGTH || /[+$€£]/.test(text[start - 1] ?? '')) return undefined;
      const found = labelled(text, start, end);
      if (found) findings.push(found);
      return found?.end;
    });
    return findings;
  },
};

function labelled(text: string, start: number, wordEnd: number): Finding | undefined {
  const before = labelBefore(text, start);
  if (before === undefined) return undefined;
  for (const end of endsFrom(text, wordEnd, start)) {
    const kind = KINDS.find(({ isForm, label }) => label.test(before) && isForm(text.slice(start, end)));
    if (kind) return { type: kind.type, start, end };
  }
  return undefined;
}

const ANY_LABEL = new RegExp(KINDS.map(({ label }) => label.source).join('|'), 'u');

/** The text right before, down to the last number in it; undefined where no label is in it. */
function labelBefore(text: string, start: number): string | undefined {
  if (!hasContextBefore(text, start, ANY_LABEL, REACH)) return undefined;
  const before = text.slice(Math.max(0, start - REACH), start).toLowerCase();
  return before.slice(before.search(/\d(?!.*\d)/s) + 1);
}

/** Ends of the groups joined to this one, the longest first. */
function endsFrom(text: string, wordEnd: number, start: number): readonly number[] {
  const ends = [wordEnd];
  let at = wordEnd;
  while (/[- ]/.test(text[at] ?? '') && isDigitAt(text, at + 1) && at - start <= MAX_LENGTH) {
    at += 1;
    while (isWordAt(text, at)) at += 1;
    if (at - start <= MAX_LENGTH) ends.unshift(at);
  }
  return ends;
}
