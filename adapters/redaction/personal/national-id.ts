import type { DetectionContext, Detector, Finding } from '../../../domain/redaction/port.ts';
import { hasContext } from './context.ts';
import { americas } from './national-ids/americas.ts';
import { asiaPacificAfrica } from './national-ids/asia-pacific-africa.ts';
import { northernEurope } from './national-ids/northern-europe.ts';
import type { NationalIdRule, Needs } from './national-ids/rule.ts';
import { southernEurope } from './national-ids/southern-europe.ts';
import { westernEurope } from './national-ids/western-europe.ts';
import { isWholeNumber, isWordAt, visitDigitWords } from './words.ts';

export const nationalIdRules: readonly NationalIdRule[] = [...americas, ...westernEurope, ...southernEurope, ...northernEurope, ...asiaPacificAfrica];

type Reading = readonly [NationalIdRule, Needs];

const readingsByLayout = new Map<string, Reading[]>();
/** Every layout up to the end of one of its groups: what a longer one may begin with. */
const beginnings = new Set<string>();
for (const rule of nationalIdRules) {
  for (const [layout, needs] of Object.entries(rule.layouts)) {
    readingsByLayout.set(layout, [...(readingsByLayout.get(layout) ?? []), [rule, needs]]);
    for (const { index } of layout.matchAll(/[^9A]|$/g)) beginnings.add(layout.slice(0, index));
  }
}
const MAX_LAYOUT = Math.max(...[...beginnings].map((layout) => layout.length));
/** What stands between two groups, as the layouts write it. */
const JOINERS: Readonly<Record<string, string>> = {
  ' ': ' ',
  '\u00a0': ' ',
  '\u202f': ' ',
  '-': '-',
  '\u2010': '-',
  '\u2011': '-',
  '\u2013': '-',
  '.': '.',
  '/': '/',
  '+': '+',
};

/** National ids of many countries, by layout, check digits, and for weak ones a word near them or the tenant's regions. */
export const nationalIdDetector: Detector = {
  name: 'national-id',
  types: [...new Set(nationalIdRules.map(({ name }) => `nationalId.${name}`))],
  find(text, context) {
    const findings: Finding[] = [];
    visitDigitWords(text, (start, end) => {
      const found = end - start > MAX_LAYOUT ? undefined : (longestFrom(text, start, context) ?? fromLetters(text, start, context));
      if (found) findings.push(found);
      return found?.end;
    });
    return findings;
  },
};

/** An id that begins with a group of one or two letters: `AB 12 34 56 C`, `X-1234567-L`. */
function fromLetters(text: string, start: number, context: DetectionContext): Finding | undefined {
  if (JOINERS[text[start - 1] ?? ''] === undefined || !isWordAt(text, start - 2)) return undefined;
  const first = isWordAt(text, start - 3) ? start - 3 : start - 2;
  return isWordAt(text, first - 1) ? undefined : longestFrom(text, first, context);
}

/** The longest id that begins here. */
function longestFrom(text: string, start: number, context: DetectionContext): Finding | undefined {
  let layout = '';
  let end = start;
  let longest: Finding | undefined;
  for (;;) {
    while (isWordAt(text, end) && layout.length <= MAX_LAYOUT) {
      layout += text.charCodeAt(end) < 58 ? '9' : 'A';
      end += 1;
    }
    if (!beginnings.has(layout)) return longest;
    const readings = readingsByLayout.get(layout);
    const type = readings && isWholeNumber(text, start, end) ? readAs(text, start, end, readings, context) : undefined;
    if (type !== undefined) longest = { type, start, end };
    const joiner = JOINERS[text[end] ?? ''];
    if (joiner === undefined || !isWordAt(text, end + 1)) return longest;
    layout += joiner;
    end += 1;
  }
}

/** What the number is: by a word near it, else by the tenant's regions in their order, else by its own strength. */
function readAs(text: string, start: number, end: number, readings: readonly Reading[], { regions }: DetectionContext): string | undefined {
  const id = text
    .slice(start, end)
    .replace(/[^0-9A-Za-z]/g, '')
    .toUpperCase();
  const valid = readings.filter(([rule]) => rule.isValid(id));
  if (valid.length === 0) return undefined;
  const byRegion = valid
    .filter(([rule, needs]) => needs !== 'context' && regions.includes(rule.region))
    .sort(([a], [b]) => regions.indexOf(a.region) - regions.indexOf(b.region));
  const chosen = valid.find(([rule]) => hasContext(text, start, end, rule.words)) ?? byRegion[0] ?? valid.find(([, needs]) => needs === 'nothing');
  return chosen && `nationalId.${chosen[0].name}`;
}
