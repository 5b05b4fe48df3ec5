import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openRedactor } from '../../../adapters/redaction/open-redactor.ts';
import type { RedactionSettings } from '../../../contracts/redaction.ts';
import type { Redactor } from '../../../domain/redaction/port.ts';
import { RunTokens } from '../../../domain/redaction/tokens.ts';
import { holdsFor } from '../../support/property.ts';
import { chunked, exitOptions, sampleRedactor, texts } from '../../support/redaction.ts';

const SETTINGS: RedactionSettings = { rules: { email: 'tokenise', creditCard: 'mask', secret: 'mask', phone: 'tokenise' } };
const REDACTORS: readonly (readonly [string, Redactor])[] = [
  ['sample detectors', sampleRedactor(SETTINGS)],
  ['built-in detectors', openRedactor({ regions: ['US', 'DE'] })],
];

test.each(REDACTORS)('no value that was found is left in the output (%s)', (_name, redactor) => {
  holdsFor(texts, (several) => {
    // One paragraph: what is found in a later one does not reach back, because a stream has given the earlier one out.
    const text = several.replaceAll('\n', ' ').slice(0, 4_000);
    const { text: redacted, findings } = redactor.redactText(text, exitOptions());
    for (const { start, end } of findings) {
      const value = text.slice(start, end);
      // A shorter one may stand elsewhere by chance.
      if (value.length >= 8) expect(redacted).not.toContain(value);
    }
  });
});

test.each(REDACTORS)('redacting what was redacted changes nothing (%s)', (_name, redactor) => {
  holdsFor(texts, (text) => {
    const tokens = new RunTokens();
    const once = redactor.redactText(text, exitOptions({ tokens })).text;
    const again = redactor.redactText(once, exitOptions({ tokens, origin: 'run' }));
    expect(again.text).toBe(once);
    expect(again.findings).toEqual([]);
  });
});

test.each(REDACTORS)('any chunking gives what the whole text gives (%s)', (_name, redactor) => {
  holdsFor(
    texts.chain((text) => fc.record({ text: fc.constant(text), chunks: chunked(text) })),
    ({ text, chunks }) => {
      const whole = redactor.redactText(text, exitOptions());
      const stream = redactor.stream(exitOptions());
      const given = [...chunks.map((chunk) => stream.push(chunk)), stream.end()];
      expect(given.map((part) => part.text).join('')).toBe(whole.text);
      expect(given.flatMap((part) => part.findings)).toEqual(whole.findings);
    },
  );
});

test('a value in single characters is caught, and nothing is held back for ever', () => {
  const redactor = sampleRedactor();
  const text = `${'Some words that go on. '.repeat(2_000)}mail ann@example.com now`;
  const stream = redactor.stream(exitOptions());
  let given = '';
  let longestHeld = 0;
  for (const [index, character] of [...text].entries()) {
    given += stream.push(character).text;
    longestHeld = Math.max(longestHeld, index + 1 - given.length);
  }
  expect(longestHeld).toBeLessThan(10_000);
  expect(given + stream.end().text).toBe(text.replace('ann@example.com', '⟦email:1⟧'));
});

test('putting the values back gives the input, where every action is tokenise', () => {
  const redactor = sampleRedactor({ rules: { '*': 'tokenise', secret: 'tokenise' } });
  holdsFor(texts, (text) => {
    const tokens = new RunTokens();
    const plain = text.replaceAll(/[⟦⟧]/g, '|');
    const { text: redacted } = redactor.redactText(plain, exitOptions({ tokens }));
    const values = new Map(tokens.entries());
    expect(redacted.replaceAll(/⟦[^⟦⟧]+⟧/g, (token) => values.get(token) ?? token)).toBe(plain);
  });
});

test('findings are in order, apart, and whole characters', () => {
  const redactor = sampleRedactor(SETTINGS);
  holdsFor(texts, (text) => {
    let reached = 0;
    for (const { start, end } of redactor.redactText(text, exitOptions()).findings) {
      expect(start).toBeGreaterThanOrEqual(reached);
      expect(end).toBeGreaterThan(start);
      expect(isSplit(text, start) || isSplit(text, end)).toBe(false);
      reached = end;
    }
  });
});

test('no JSON value breaks it, and its shape stays', () => {
  const redactor = sampleRedactor(SETTINGS);
  holdsFor(fc.jsonValue(), (value) => {
    const json = JSON.parse(JSON.stringify(value));
    expect(shapeOf(redactor.redactJson(json, exitOptions()).value)).toEqual(shapeOf(json));
  });
});

function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value === 'object' && value !== null) return Object.values(value).map(shapeOf);
  return value === null ? 'null' : 'leaf';
}

function isSplit(text: string, index: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(index - 1, index + 1));
}
