import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { personalDetectors } from '../../../adapters/redaction/personal/index.ts';
import { holdsFor } from '../../support/property.ts';

const context = { regions: ['US', 'DE', 'GB', 'FR', 'IN'] };

/** Each begins again and again what a detector looks for, and never ends it. */
const HOSTILE = [
  '1', '1 ', '12 ', '1-', '1.', 'a1', 'A', '@', 'a@', 'a@a.', '"a"@', '%40', '"', '𝒳@𝒳.', 'ü@ü-', ':', 'a:', '::', '://', 'http://a:b@c?token=x&', '&a=', '?token=', 'DE89 ', 'de89370400440532013',
  '4111 1111 1111 1111 ', '4111-', '1.2.3.', '1.1.1.1.', 'aa:', 'aa-', 'aaaa.', '+1 ', '(1) ', '(((((1', ')1(', 'phone: 12 34 56 78 ', 'phone: ', '030 1234567 ', 'born 1/1/', '1 jan ', 'born 1st of January ',
  '1 A A A A ', 'address: 1 A', '1 rue a ', 'P.O. Box 1 ', 'Straße 1, ', 'account number 12-34 ', 'passport ', 'passport A', '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ', `bc1q${'q'.repeat(50)} `, '生年月日1', 'AB 12 34 56 ',
  '123-45-', '123-45-6789 ', 'SSN 123456789 ', '99.999.999/', ' ', '\n', '\0', '\ud800', '⟦email:1⟧', 'x', 'é1',
]; // biome-ignore format: a list

const fill = (unit: string, length: number) => Buffer.from(unit.repeat(Math.ceil(length / unit.length)).slice(0, length)).toString();

/** The least CPU time of this thread out of some tries, in milliseconds. */
function cpuMs(text: string, tries: number): number {
  const once = () => {
    const before = process.threadCpuUsage();
    for (const detector of personalDetectors) detector.find(text, context);
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1_000;
  };
  return Math.min(...Array.from({ length: tries }, once));
}

describe('on hostile input', () => {
  test.each(HOSTILE.map((unit) => [JSON.stringify(unit).slice(0, 40), unit]))('four times the length takes about four times as long: %s', (_name, unit) => {
    cpuMs(fill(unit, 10_000), 1);
    const [short, long] = [cpuMs(fill(unit, 25_000), 3), cpuMs(fill(unit, 100_000), 2)];
    // Quadratic would be 16 times.
    expect(long, `${short} ms → ${long} ms`).toBeLessThan(Math.max(60, short * 10));
  });

  test.each(['030 1234567 ', 'phone: 12 34 56 78 ', '4111 1111 1111 1111 ', '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ', 'a@a.', '1 A A A A '])(
    'a megabyte of %j takes seconds at most',
    (unit) => {
      expect(cpuMs(fill(unit, 1_000_000), 1)).toBeLessThan(15_000);
    },
  );
});

describe('on any text', () => {
  const pieces = fc.constantFrom(...HOSTILE, 'phone', 'tel: ', '+49', ' 30 ', 'a@b.de', 'DOB', '1985-03-12', 'card', '\ud83d\ude00', '(', ')', '.', ',');
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join('')),
  );

  test('findings are ranges of the text, of declared types, and nothing throws', () => {
    holdsFor(texts, (text) => {
      for (const detector of personalDetectors)
        for (const { type, start, end } of detector.find(text, context)) {
          expect(detector.types).toContain(type);
          expect(start).toBeGreaterThanOrEqual(0);
          expect(end).toBeGreaterThan(start);
          expect(end).toBeLessThanOrEqual(text.length);
        }
    });
  });

  test('nothing is remembered: the second answer is the first', () => {
    holdsFor(texts, (text) => {
      for (const detector of personalDetectors) {
        const first = detector.find(text, context);
        detector.find('phone 030 1234567, a@b.de, SSN 123-45-6789', { regions: [] });
        expect(detector.find(text, context)).toEqual(first);
      }
    });
  });
});
