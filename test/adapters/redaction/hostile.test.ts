import { describe, expect, test } from 'vitest';
import { builtInDetectors } from '../../../adapters/redaction/built-in.ts';
import { openRedactor } from '../../../adapters/redaction/open-redactor.ts';
import { OWN_FORMS } from '../../../adapters/redaction/secrets/own-forms.ts';
import { RULES_BY_LABEL } from '../../../adapters/redaction/secrets/rules-by-label.ts';
import { RULES_BY_PREFIX } from '../../../adapters/redaction/secrets/rules-by-prefix.ts';
import { exitOptions } from '../../support/redaction.ts';

/** What repeats without end: what patterns begin with, go on with, and then do not end as they want. */
const SEEDS = [
  'a',
  '0',
  ' ',
  '\n',
  '\n\n',
  '\n \n',
  '=',
  '-',
  '"',
  '\\',
  '⟦',
  '⟦email:1⟧',
  '⟧⟦',
  '😀',
  '\ud83d',
  'a@',
  'a.',
  '.a@b',
  'a@a.',
  '1 ',
  '1-',
  '+1 (',
  '1.1.',
  '::',
  'a:',
  '4111 ',
  'DE00 ',
  'password=',
  'password: "',
  'password is ',
  'api_key = ',
  'key key ',
  'key-key-',
  'token:::',
  'http://a:',
  'http://a:b@',
  'mongodb://a:b@c/d?',
  'eyJhbGciOiJ.',
  'eyJhbGciOiJI/',
  '-----BEGIN ',
  '-----BEGIN PRIVATE KEY-----',
  '-----BEGIN PRIVATE KEY-----\n\n',
  '-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END ',
  'curl -u ',
  'Authorization: Bearer ',
  'xoxb-1-',
  'SG.a.',
  'kind: Secret\n',
  '<add key="Password" ',
  'born 01/01/',
  'Street 1, ',
];

/** And all that a rule looks for, which calls it again and again. */
const KEYWORDS = new Set([
  ...OWN_FORMS.flatMap(({ keywords }) => keywords),
  ...[...RULES_BY_PREFIX, ...RULES_BY_LABEL].flatMap(([, keywords]) => keywords.split(',')),
]);

const KB = 1_024;

function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage().user;
  work();
  return (process.cpuUsage().user - before) / 1_000;
}

/** The least of a few, because a collection of garbage is not the detector's. */
function leastMsOf(work: () => void): number {
  return Math.min(cpuMsOf(work), cpuMsOf(work), cpuMsOf(work));
}

/** Too short to measure is fast. */
const WORTH_A_LOOK_MS = 40;

const textOf = (seed: string, length: number): string => seed.repeat(Math.ceil(length / seed.length)).slice(0, length);

describe.each(builtInDetectors().map((detector) => [detector.name, detector] as const))('%s', (_name, detector) => {
  const find = (text: string) => detector.find(text, { regions: ['US', 'DE', 'GB'] });

  test('four times the text takes about four times as long, whatever it is', () => {
    const slow = [...SEEDS, ...KEYWORDS].flatMap((seed) => {
      const [short, long] = [textOf(seed, 25 * KB), textOf(seed, 100 * KB)];
      if (cpuMsOf(() => find(long)) < WORTH_A_LOOK_MS) return [];
      const longMs = leastMsOf(() => find(long));
      const ratio = longMs / leastMsOf(() => find(short));
      return ratio > 10 || longMs > 2_000 ? [`${JSON.stringify(seed)}: ${longMs.toFixed(0)} ms, ratio ${ratio.toFixed(1)}`] : [];
    });
    expect(slow).toEqual([]);
  }, 120_000);
});

test('a megabyte of anything is redacted in a few seconds', () => {
  const redactor = openRedactor({ regions: ['US', 'DE', 'GB'] });
  const slow = SEEDS.flatMap((seed) => {
    const text = textOf(seed, KB * KB);
    const ms = cpuMsOf(() => redactor.redactText(text, exitOptions()));
    return ms > 3_000 ? [`${JSON.stringify(seed)}: ${ms.toFixed(0)} ms`] : [];
  });
  expect(slow).toEqual([]);
}, 300_000);
