import fc from 'fast-check';
import type { RedactionSettings } from '../../contracts/redaction.ts';
import type { Detector, RedactionOptions, Redactor } from '../../domain/redaction/port.ts';
import { createRedactor } from '../../domain/redaction/redactor.ts';
import { RunTokens } from '../../domain/redaction/tokens.ts';

/** A detector of whatever matches, its type the name. */
export function detectorFor(type: string, pattern: RegExp): Detector {
  return {
    name: type,
    types: [type],
    find: (text) => [...text.matchAll(pattern)].map(({ index, 0: match }) => ({ type, start: index, end: index + match.length })),
  };
}

/** E-mail addresses, card numbers, keys of a made-up vendor, and a number that only its label gives away. */
export const SAMPLE_DETECTORS: readonly Detector[] = [
  detectorFor('secret.acme', /acme_[a-z0-9]{8,}/g),
  detectorFor('email', /[a-z0-9.]{1,64}@[a-z0-9]{1,64}\.[a-z]{2,10}/g),
  detectorFor('creditCard', /\b\d{4}(?: ?\d{4}){3}\b/g),
  detectorFor('phone', /(?<=phone[ :]{1,3})\d{6,15}/g),
];

export function sampleRedactor(settings: RedactionSettings = {}, detectors: readonly Detector[] = SAMPLE_DETECTORS): Redactor {
  return createRedactor({ settings, detectors, ownDetectors: () => [] });
}

export function exitOptions(options: Partial<RedactionOptions> = {}): RedactionOptions {
  return { tenant: 'acme', feature: 'support', place: 'text', origin: 'outside', tokens: new RunTokens(), ...options };
}

const VALUES = ['ann@example.com', 'bob.b@example.org', '4111 1111 1111 1111', '4111111111111111', 'acme_a1b2c3d4e5', 'phone: 1234567', '7654321'];
const FILLERS = [
  ' ',
  '\n',
  '\n\n',
  ': ',
  'phone',
  'so 😀 it is',
  '⟦',
  '⟧',
  '⟦email:1⟧',
  '⟦secret.acme⟧',
  ':',
  'ü',
  '@',
  '.',
  '-----BEGIN PRIVATE KEY-----',
  'x'.repeat(700),
  '\ud83d',
];

/** Texts of values, of what may stand around them, and of what is made to confuse. */
export const texts: fc.Arbitrary<string> = fc
  .array(fc.oneof(fc.constantFrom(...VALUES), fc.constantFrom(...FILLERS), fc.string({ maxLength: 12 })), { maxLength: 30 })
  .map((parts) => parts.join(''));

/** The text in chunks, empty ones too. */
export function chunked(text: string): fc.Arbitrary<string[]> {
  return fc.array(fc.nat({ max: text.length }), { maxLength: 12 }).map((cuts) => {
    const places = [0, ...cuts.sort((left, right) => left - right), text.length];
    return places.slice(1).map((place, index) => text.slice(places[index], place));
  });
}
