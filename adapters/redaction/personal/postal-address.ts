import type { Detector, Finding } from '../../../domain/redaction/port.ts';
import { visitDigitWords } from './words.ts';

const NAME = "[\\p{Lu}\\d][\\p{L}\\p{N}'’.-]{0,24}";
const KIND =
  '(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Place|Pl|Way|Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Close|Crescent|Cres|Row|Mews|Trail|Loop|Alley)(?!\\p{L})\\.?';
const UNIT = '(?:,?\\s{1,3}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Flat|Room|#)\\.?\\s?#?\\w{1,6})?';
/** Town, state and code: `, Springfield, IL 62704`, `\nLondon SW1A 1AA`, `, 75001 Paris`. */
const TOWN = `(?:,?\\s{1,3}(?:\\d{4,5}\\s)?${NAME}(?:\\s${NAME}){0,2})?`;
const CODE =
  '(?:,?\\s{1,3}[A-Z]{2}\\s\\d{5}(?:-\\d{4})?|,?\\s{1,3}[A-Z]{1,2}\\d[A-Z\\d]?\\s?\\d[A-Z]{2}|,?\\s{1,3}[A-Z]{2,3}\\s[A-Z\\d]{3,4}(?:\\s\\d[A-Z]\\d)?)?';
const CODED_TOWN = `(?:${TOWN}${CODE})`;
const NUMBER_FIRST = new RegExp(`\\d{1,6}[A-Za-z]?(?:[-/]\\d{1,4})?,?\\s(?:${NAME}\\s){1,4}${KIND}${UNIT}${CODED_TOWN}`, 'uy');
const ROMANCE = new RegExp(
  `\\d{1,4}(?:\\s?(?:bis|ter))?,?\\s(?:rue|avenue|boulevard|bd|place|chemin|allée|impasse|quai|cours|route)\\s(?:[\\p{L}'’-]{1,24}[ ]?){1,6}(?:,?\\s{1,3}\\d{5}\\s${NAME})?`,
  'iuy',
);
/** The street before its number: `Musterstraße 12a`, `Via Roma 5`. */
const STREET_BEFORE =
  /(?<!\p{L})(?:(?:\p{Lu}[\p{L}-]{0,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm|straat|laan|gatan|vägen|vej|gade|katu|tie)|\p{Lu}\p{L}{1,20} (?:Straße|Strasse|Str\.|Allee|Platz|Weg))|(?:Via|Viale|Piazza|Corso|Calle|C\/|Avenida|Av\.|Plaza|Paseo|Rua|Travessa|Praça|ul\.|ulica|al\.)\s(?:[\p{L}'’.]{1,20}\s){0,3}[\p{L}'’.]{2,20},?)\s$/u;
const AFTER_NUMBER = new RegExp(
  `\\d{1,4}\\s?[a-z]?(?![\\p{L}\\p{N}])(?:,?\\s{1,3}(?:[A-Z]{1,2}-)?\\d{4,5}(?:\\s[A-Z]{2})?\\s${NAME}(?:\\s(?:am|an der|im)\\s${NAME})?)?`,
  'uy',
);
const BOX_BEFORE = /(?<![A-Za-z])(?:P\.?\s?O\.?\s?Box|Postfach|Boîte postale|Apartado|(?:PSC|Unit|CMR)\s\d{1,5},?\s{1,2}Box)\s$/i;
const BOX = /\d{1,6}(?:,?\s{1,3}(?:APO|FPO|DPO)\s(?:AA|AE|AP)\s\d{5}|,?\s{1,3}[A-Z][a-z]+(?:,?\s[A-Z]{2})?\s\d{5}(?:-\d{4})?)?/iy;
const LABEL =
  /(?<!\p{L})(?:address|addr|lives at|living at|resides at|ship to|deliver to|adresse|anschrift|wohnhaft|domicilio|direcci[óo]n|indirizzo|endereço|adres|住所|地址|주소)(?!\p{L})(?: of [^\n\d:]{1,30})?(?: is| was)?\s*[:=]?[\s"']*[\p{L}\s.,'-]{0,24}$/iu;
const OTHER_ADDRESS = /(?:e-?mail|ip|mac|web|wallet|memory|bitcoin|btc|eth|crypto|url|http|site|contract|return|network)[\s_-]{0,2}addr[\p{L}]*[^\n]{0,30}$/iu;
const REACH = 60;
const LABELLED = /[^\n;"]{4,90}/y;

/** Street addresses by the words in them (`12 Main Street`, `Musterstraße 5`, `P.O. Box 9`) or before them (`address: …`). */
export const postalAddressDetector: Detector = {
  name: 'postal-address',
  types: ['postalAddress'],
  find(text) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start) => {
      const range = addressAt(text, start);
      if (range) findings.push({ type: 'postalAddress', ...range });
      return range?.end;
    });
    return findings;
  },
};

type Range = { readonly start: number; readonly end: number };

function addressAt(text: string, start: number): Range | undefined {
  for (const form of [NUMBER_FIRST, ROMANCE]) {
    const end = endOf(form, text, start);
    if (end !== undefined) return { start, end };
  }
  if (!/\s/.test(text[start - 1] ?? '')) return undefined;
  const before = text.slice(Math.max(0, start - REACH), start);
  return behind(STREET_BEFORE, AFTER_NUMBER, before, text, start) ?? behind(BOX_BEFORE, BOX, before, text, start) ?? labelled(before, text, start);
}

function behind(prefix: RegExp, rest: RegExp, before: string, text: string, start: number): Range | undefined {
  const length = prefix.exec(before)?.[0].length;
  const end = length === undefined ? undefined : endOf(rest, text, start);
  return end === undefined ? undefined : { start: start - (length ?? 0), end };
}

/** The rest of the line after `address:`, as long as it reads like a house number with a name. */
function labelled(before: string, text: string, start: number): Range | undefined {
  if (!/^\d{1,6}[a-z]?,?\s\p{Lu}/u.test(text.slice(start, start + 12)) || !LABEL.test(before) || OTHER_ADDRESS.test(before)) return undefined;
  const end = endOf(LABELLED, text, start);
  if (end === undefined) return undefined;
  const line = text.slice(start, end);
  const sentence = /[.!?]\s\p{Lu}[^.]*$/u.exec(line.replace(/\b(?:Apt|St|Ave|Rd|Blvd|Dr|Ste)\. /g, (short) => short.replaceAll('.', ' ')))?.index;
  return { start, end: sentence === undefined ? end : start + sentence };
}

function endOf(form: RegExp, text: string, start: number): number | undefined {
  form.lastIndex = start;
  const length = form.exec(text)?.[0].trimEnd().length;
  return length === undefined ? undefined : start + length;
}
