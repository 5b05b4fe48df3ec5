import { describe, expect, test } from 'vitest';
import { entropyOf } from '../../../adapters/redaction/secrets/entropy.ts';
import { KeywordIndex } from '../../../adapters/redaction/secrets/keyword-index.ts';
import { RULES_BY_LABEL } from '../../../adapters/redaction/secrets/rules-by-label.ts';
import type { SecretRule } from '../../../adapters/redaction/secrets/rule.ts';
import { RULES_BY_PREFIX } from '../../../adapters/redaction/secrets/rules-by-prefix.ts';
import { createSecretDetector } from '../../../adapters/redaction/secrets/secret-detector.ts';
import { secretlintRules } from '../../../adapters/redaction/secrets/secretlint.ts';
import { sampleOf } from '../../support/secret-samples.ts';

const detector = createSecretDetector();
const valuesIn = (text: string): string[] => detector.find(text, { regions: [] }).map(({ start, end }) => text.slice(start, end));
const covered = (text: string, value: string): boolean => detector.find(text, { regions: [] }).some(({ start, end }) => text.slice(start, end).includes(value));

/** The first sample as random as the rule wants it; what a vendor gives out is. Where it says nothing a label's value has a digit. */
function randomSample(rule: SecretRule): string {
  for (let seed = 1; seed < 400; seed++) {
    const sample = sampleOf(rule, seed);
    if (entropyOf(sample) > Math.max(rule[3], 2) + 0.05 && (rule[3] > 0 || /\d/.test(sample))) return sample;
  }
  throw new Error(`no random sample of ${rule[0]}`);
}

describe('rules of about 200 vendors', () => {
  test('there are so many, each with keywords in small letters', () => {
    const rules = [...RULES_BY_PREFIX, ...RULES_BY_LABEL];
    expect(new Set(rules.map(([id]) => id)).size).toBeGreaterThan(200);
    for (const [id, keywords] of rules) for (const keyword of keywords.split(',')) expect(keyword, id).toMatch(/^[^A-Z]+$/);
  });

  test.each(RULES_BY_PREFIX.filter(([id]) => id !== 'nuget-config-password').map((rule) => [rule[0], rule] as const))(
    '%s is found in a sentence, quoted, in an address and in JSON',
    (_id, rule) => {
      const secret = randomSample(rule);
      for (const text of [`It is ${secret}.`, `"${secret}"`, `https://example.com/?a=${secret}&b=1`, JSON.stringify({ note: `use ${secret} now` })]) {
        expect(covered(text, secret.replace('_gitlab_session=', '')), text).toBe(true);
      }
    },
  );

  test.each(RULES_BY_LABEL.map((rule) => [rule[0], rule] as const))('%s is found behind its label', (_id, rule) => {
    const secret = randomSample(rule);
    const [label = ''] = rule[1].split(',');
    const forms = [
      `${label}_token = "${secret}"`,
      `${label.toUpperCase()}_TOKEN=${secret}\n`,
      JSON.stringify({ [`${label}Token`]: secret }),
      `${label}Token := \`${secret}\``,
    ];
    for (const text of forms) expect(covered(text, secret), text).toBe(true);
  });

  test('a value that repeats itself is none', () => {
    expect(valuesIn(`pul-${'a'.repeat(40)}`)).toEqual([]);
    expect(valuesIn(`adafruit_key = "${'a1'.repeat(16)}"`)).toEqual([]);
  });

  test('the password in a NuGet configuration', () => {
    expect(valuesIn('<add key="ClearTextPassword" value="some phrase 7" />')).toContain('some phrase 7');
  });

  test('what goes on where the form ends is none', () => {
    const secret = randomSample(['', '', 'gh' + 'p_[0-9a-zA-Z]{36}', 3]);
    expect(valuesIn(`x${secret}`)).toEqual([]);
    expect(valuesIn(`${secret}x`)).toEqual([]);
  });
});

describe('keywords', () => {
  test('every place of every keyword, in one pass, whatever the case', () => {
    const index = new KeywordIndex(['he', 'she', 'hers', 'his', '|', 'e']);
    const places: [string, number][] = [];
    index.scan('uSHErs his|é', (keyword, end) => places.push([['he', 'she', 'hers', 'his', '|', 'e'][keyword] as string, end]));
    expect(places.sort()).toEqual(
      [
        ['e', 4],
        ['he', 4],
        ['hers', 6],
        ['his', 10],
        ['she', 4],
        ['|', 11],
      ].sort(),
    );
  });
});

describe('the preset of secretlint', () => {
  test('its rules run, each with its keywords', () => {
    expect(secretlintRules().length).toBeGreaterThanOrEqual(26);
    expect(secretlintRules().filter(({ keywords }) => keywords.length === 0)).toEqual([]);
  });

  test('finds what only it knows', () => {
    const secret = `dckr_${'pat_'}${sampleOf(['', '', '[a-zA-Z0-9]{27}', 0], 5)}`;
    expect(detector.find(`docker login -p ${secret}`, { regions: [] })).toContainEqual({ type: 'secret.docker', start: 16, end: 16 + secret.length });
  });

  test('a text can not switch it off', () => {
    const secret = `dckr_${'pat_'}${sampleOf(['', '', '[a-zA-Z0-9]{27}', 0], 5)}`;
    expect(covered(`// secretlint-disable\n${secret}`, secret)).toBe(true);
  });
});
