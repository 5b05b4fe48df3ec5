import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nationalIdDetector, nationalIdRules } from '../../../adapters/redaction/personal/national-id.ts';
import { ID_SAMPLES, type IdSample, validId } from '../../support/national-ids.ts';
import { holdsFor } from '../../support/property.ts';

const typesIn = (text: string, regions: readonly string[] = []) => nationalIdDetector.find(text, { regions }).map(({ type }) => type);
const rulesOf = (name: string) => nationalIdRules.filter((rule) => rule.name === name);
const layoutsOf = (name: string) => rulesOf(name).flatMap(({ layouts }) => Object.entries(layouts));

/** An id as a layout writes it; null where it has other letters or lengths. */
function written(id: string, layout: string): string | null {
  let used = 0;
  const text = layout.replace(/[9A]/g, () => id[used++] ?? '');
  const shape = text.replace(/\d/g, '9').replace(/[A-Z]/g, 'A');
  return used === id.length && shape === layout ? text : null;
}
const seeds = fc.nat({ max: 1_000_000 });

test('every rule has a sample', () => {
  expect([...new Set(nationalIdRules.map(({ name }) => name))].filter((name) => !ID_SAMPLES.some((sample) => sample.name === name))).toEqual([
    'de-social-security',
  ]);
});

describe.each(ID_SAMPLES.map((sample): [string, IdSample] => [sample.name, sample]))('%s', (name, sample) => {
  const type = `nationalId.${name}`;

  test('a valid one is found in every layout behind a word that names it, and no further', () => {
    holdsFor(seeds, (seed) => {
      const id = validId(sample, seed);
      const texts = layoutsOf(name).flatMap(([layout]) => written(id, layout) ?? []);
      expect(texts.length, id).toBeGreaterThan(0);
      for (const text of texts) {
        const sentence = `${sample.word}: ${text}, thanks`;
        const found = nationalIdDetector.find(sentence, { regions: [] });
        expect(found.map((finding) => `${finding.type} ${sentence.slice(finding.start, finding.end)}`)).toEqual([`${type} ${text}`]);
      }
    });
  });

  test('without a word it is found where it needs none, or in its country, and not elsewhere', () => {
    holdsFor(seeds, (seed) => {
      const id = validId(sample, seed);
      for (const [layout, needs] of layoutsOf(name)) {
        const text = written(id, layout);
        if (text === null) continue;
        expect(typesIn(`it is ${text}.`, [sample.region]), layout).toEqual(needs === 'context' ? expect.not.arrayContaining([type]) : [type]);
        if (needs !== 'nothing' && layoutsOf(name).every(([other, strength]) => other !== layout || strength !== 'nothing'))
          expect(typesIn(`it is ${text}.`), layout).not.toContain(type);
      }
    });
  });

  test.runIf(sample.findsEveryChange)('with one digit changed it is not found', () => {
    holdsFor(fc.tuple(seeds, fc.nat({ max: 100 }), fc.integer({ min: 1, max: 9 })), ([seed, at, step]) => {
      const id = validId(sample, seed);
      const places = [...id].flatMap((character, index) => (/\d/.test(character) ? [index] : []));
      const place = places[at % places.length] ?? 0;
      const changed = `${id.slice(0, place)}${(Number(id[place]) + step) % 10}${id.slice(place + 1)}`;
      for (const [layout] of layoutsOf(name)) {
        const text = written(changed, layout);
        if (text !== null) expect(typesIn(`${sample.word}: ${text}, thanks`, [sample.region])).not.toContain(type);
      }
    });
  });
});

describe('national ids', () => {
  test('what no authority gives out is not found', () => {
    for (const ssn of ['000-12-3456', '666-12-3456', '123-00-4567', '123-45-0000']) expect(typesIn(`SSN ${ssn}`)).toEqual([]);
    expect(typesIn('ITIN 912-49-1234')).toEqual([]);
    for (const nino of ['BG123456A', 'DA123456A', 'AO123456A', 'AB123456E']) expect(typesIn(`national insurance ${nino}`)).toEqual([]);
    expect(typesIn('CPR 311299-1234')).toEqual(['nationalId.dk-cpr']);
    expect(typesIn('CPR 320199-1234')).toEqual([]);
    expect(typesIn('CPR 300299-1234')).toEqual([]);
  });

  test('nine digits behind a word of another country are that country’s', () => {
    // 123456782 passes Luhn, mod 11 of the Netherlands and of Australia.
    const [ca, nl, au] = ['ca-sin', 'nl-bsn', 'au-tfn'].map((name) => rulesOf(name)[0]);
    const both = Array.from({ length: 900_000 }, (_, index) => String(100_000_000 + index)).find((id) => ca?.isValid(id) && nl?.isValid(id) && au?.isValid(id));
    expect(typesIn(`BSN ${both}`)).toEqual(['nationalId.nl-bsn']);
    expect(typesIn(`TFN ${both}`)).toEqual(['nationalId.au-tfn']);
    expect(typesIn(`number ${both}`, ['AU', 'CA'])).toEqual(['nationalId.au-tfn']);
    expect(typesIn(`number ${both}`, ['CA', 'AU'])).toEqual(['nationalId.ca-sin']);
    expect(typesIn(`number ${both}`)).toEqual([]);
  });

  test('a part of a longer number, an amount or a decimal is none', () => {
    for (const text of ['1-123-45-6789', '123-45-6789-1', 'x123-45-6789', '0.123-45-6789', '123-45-67890', '$123-45-6789', '123-45-6789%'])
      expect(typesIn(text)).toEqual([]);
    for (const text of ['123-45-6789.', '(123-45-6789)', '"123-45-6789"', 'é123-45-6789é', '123\u201145\u20116789', '号123-45-6789'])
      expect(typesIn(text)).toEqual(['nationalId.us-ssn']);
  });

  test('a short word counts only where it stands alone', () => {
    const sin = validId(ID_SAMPLES.find(({ name }) => name === 'ca-sin') as IdSample, 7);
    expect(typesIn(`our business ${sin}`)).toEqual([]);
    expect(typesIn(`"customer_sin": "${sin}"`)).toEqual(['nationalId.ca-sin']);
  });

  test('Germany’s social security number has the check digit of the insurance’s own example', () => {
    expect(typesIn('65170839J003')).toEqual(['nationalId.de-social-security']);
    expect(typesIn('65170839J004')).toEqual([]);
  });

  test('a Korean number of a child born since October 2020 has no check digit, and needs a word or its country', () => {
    const next = (digit: number) => `210304-314159${digit}`;
    const found = Array.from({ length: 10 }, (_, digit) => typesIn(next(digit)).length);
    expect(found.filter((count) => count === 1)).toHaveLength(1);
    expect(Array.from({ length: 10 }, (_, digit) => typesIn(`주민등록번호 ${next(digit)}`))).toEqual(Array(10).fill(['nationalId.kr-rrn']));
  });
});
