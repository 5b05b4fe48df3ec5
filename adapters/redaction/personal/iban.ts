import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { modulo } from './check-digits.ts';
import { isWordAt, visitDigitWords } from './words.ts';

/** Lengths by country, from SWIFT's IBAN registry. */
const LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  `AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27
  GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22
  MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28
  TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`
    .split(/\s+/)
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);
const SEPARATOR = /[ \u00a0\u202f-]/;

/** IBANs of the length of their country with right check digits, in one piece or in groups. */
export const ibanDetector: Detector = {
  name: 'iban',
  types: ['iban'],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start) => {
      const end = endOfIban(text, start);
      if (end !== undefined) findings.push({ type: 'iban', start, end });
      return end;
    });
    return findings;
  },
};

function endOfIban(text: string, start: number): number | undefined {
  const length = LENGTHS[text.slice(start, start + 2).toUpperCase()];
  if (length === undefined || !/^\d\d$/.test(text.slice(start + 2, start + 4))) return undefined;
  let iban = '';
  let at = start;
  while (iban.length < length) {
    if (isWordAt(text, at)) iban += text[at];
    // Two separators in a row end it, and so does any other sign.
    else if (!SEPARATOR.test(text[at] ?? '') || !isWordAt(text, at + 1)) return undefined;
    at += 1;
  }
  if (isWordAt(text, at)) return undefined;
  return modulo(iban.slice(4) + iban.slice(0, 4), 97) === 1 ? at : undefined;
}
