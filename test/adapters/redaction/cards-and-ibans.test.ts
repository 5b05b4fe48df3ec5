import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cardDetector } from '../../../adapters/redaction/personal/card.ts';
import { ibanDetector } from '../../../adapters/redaction/personal/iban.ts';
import type { Detector } from '../../../domain/redaction/port.ts';
import { holdsFor } from '../../support/property.ts';

const found = (detector: Detector, text: string, regions: readonly string[] = []) =>
  detector.find(text, { regions }).map(({ start, end }) => text.slice(start, end));

/** With the one check digit that makes it right. */
const luhn = (body: string) => {
  const sum = [...body]
    .reverse()
    .reduce((total, digit, index) => total + (index % 2 === 0 ? Math.floor((Number(digit) * 2) / 10) + ((Number(digit) * 2) % 10) : Number(digit)), 0);
  return body + ((10 - (sum % 10)) % 10);
};
const ISSUERS = [['4', 16], ['5105', 16], ['2221', 16], ['34', 15], ['37', 15], ['305', 14], ['6011', 16], ['3530', 16], ['62', 19]] as const; // biome-ignore format: a list
const cards = fc
  .tuple(fc.constantFrom(...ISSUERS), fc.array(fc.nat({ max: 9 }), { minLength: 18, maxLength: 18 }))
  .map(([[prefix, length], digits]) => luhn((prefix + digits.join('')).slice(0, length - 1)));

describe('cards', () => {
  test('in one piece, and in the groups that cards print', () => {
    holdsFor(cards, (card) => {
      expect(found(cardDetector, `it is ${card}.`)).toEqual([card]);
      const groups = card.length < 16 ? new RegExp(`^(.{4})(.{6})(.{${card.length - 10}})$`) : /^(.{4})(.{4})(.{4})(.{4})(.*)$/;
      for (const separator of [' ', '-', '\u00a0']) {
        const printed = (groups.exec(card)?.slice(1) ?? []).filter(Boolean).join(separator);
        expect(found(cardDetector, `it is ${printed}, ok`)).toEqual([printed]);
      }
    });
  });

  test('with one digit changed it is none', () => {
    holdsFor(fc.tuple(cards, fc.nat({ max: 18 }), fc.integer({ min: 1, max: 9 })), ([card, at, step]) => {
      const place = at % card.length;
      expect(found(cardDetector, `card ${card.slice(0, place)}${(Number(card[place]) + step) % 10}${card.slice(place + 1)}`)).toEqual([]);
    });
  });

  test('a right number of no known issuer needs a word', () => {
    const number = luhn('99999999999123');
    expect(found(cardDetector, `order ${number}`)).toEqual([]);
    expect(found(cardDetector, `my card ${number}`)).toEqual([number]);
  });

  test('a part of something longer is none', () => {
    const card = luhn('411111111111111');
    for (const text of [`1${card}`, `${card}1`, `x${card}`, `${card}x`, `1.${card}`, `+${card}`, `${card}-1`]) expect(found(cardDetector, text)).toEqual([]);
    expect(found(cardDetector, `4111 1111 1111 1111 12/27`)).toEqual(['4111 1111 1111 1111']);
    expect(found(cardDetector, '0000 0000 0000 0000')).toEqual([]);
  });
});

const iban = (country: string, account: string) => {
  const rearranged = `${account}${country}00`.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55));
  return `${country}${String(98n - (BigInt(rearranged) % 97n)).padStart(2, '0')}${account}`;
};
const ibans = fc
  .tuple(
    fc.constantFrom(['DE', 18], ['NO', 11], ['MT', 27], ['GB', 18], ['FR', 23], ['LC', 28]),
    fc.array(fc.nat({ max: 9 }), { minLength: 28, maxLength: 28 }),
  )
  .map(([[country, length], digits]) =>
    iban(String(country), (country === 'GB' ? 'WEST' : '') + digits.join('').slice(0, Number(length) - (country === 'GB' ? 4 : 0))),
  );

describe('IBANs', () => {
  test('in one piece, in groups, in small letters, and not with a digit changed or of another length', () => {
    holdsFor(fc.tuple(ibans, fc.nat({ max: 100 }), fc.integer({ min: 1, max: 9 })), ([valid, at, step]) => {
      const grouped = valid.replace(/(.{4})(?=.)/g, '$1 ');
      for (const text of [valid, grouped, grouped.replaceAll(' ', '-'), valid.toLowerCase()]) expect(found(ibanDetector, `to ${text}, please`)).toEqual([text]);
      const place = 4 + (at % (valid.length - 4));
      const digit = Number(valid[place]);
      if (!Number.isNaN(digit)) expect(found(ibanDetector, `${valid.slice(0, place)}${(digit + step) % 10}${valid.slice(place + 1)}`)).toEqual([]);
      for (const text of [`${valid}1`, `X${valid}`, valid.slice(0, -1), `ZZ${valid.slice(2)}`]) expect(found(ibanDetector, text)).toEqual([]);
    });
  });
});
