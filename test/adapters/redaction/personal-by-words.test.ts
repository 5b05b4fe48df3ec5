import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cryptoWalletDetector } from '../../../adapters/redaction/personal/crypto-wallet.ts';
import { dateOfBirthDetector } from '../../../adapters/redaction/personal/date-of-birth.ts';
import { labelledNumberDetector } from '../../../adapters/redaction/personal/labelled-number.ts';
import { postalAddressDetector } from '../../../adapters/redaction/personal/postal-address.ts';
import type { Detector } from '../../../domain/redaction/port.ts';
import { holdsFor } from '../../support/property.ts';

const found = (detector: Detector, text: string, regions: readonly string[] = []) =>
  detector.find(text, { regions }).map(({ start, end }) => text.slice(start, end));
const withTypes = (detector: Detector, text: string) => detector.find(text, { regions: [] }).map(({ type, start, end }) => `${type} ${text.slice(start, end)}`);

describe('by the words near it', () => {
  test.each([
    ['born on 2/8/1935', '2/8/1935'],
    ['DOB: 1985-03-12', '1985-03-12'],
    ['"date_of_birth": "12.03.1985"', '12.03.1985'],
    ['geboren am 12. März 1985 in', '12. März 1985'],
    ['née le 1 août 1990', '1 août 1990'],
    ['fecha de nacimiento: 12 de marzo de 1985', '12 de marzo de 1985'],
    ['Birthday: March 12, 1985', 'March 12, 1985'],
    ['生年月日: 1985年3月12日', '1985年3月12日'],
  ])('date of birth: %s', (text, date) => expect(found(dateOfBirthDetector, text)).toEqual([date]));

  test.each(['built on 2/8/1935', 'born 31/31/1985', 'reborn release 1.2.3', 'DOB unknown'])('no date of birth: %s', (text) =>
    expect(found(dateOfBirthDetector, text)).toEqual([]),
  );

  test.each([
    ['He lives at 12 Main Street, Springfield, IL 62704.', '12 Main Street, Springfield, IL 62704'],
    ['to 742 Evergreen Terrace today', '742 Evergreen Terrace'],
    ['221B Baker Street, London NW1 6XE', '221B Baker Street, London NW1 6XE'],
    ['Musterstraße 12a, 10115 Berlin', 'Musterstraße 12a, 10115 Berlin'],
    ['12 rue de la Paix, 75002 Paris', '12 rue de la Paix, 75002 Paris'],
    ['Calle Mayor, 5', 'Calle Mayor, 5'],
    ['P.O. Box 1234', 'P.O. Box 1234'],
    ['PSC 3294, Box 9168\nAPO AA 61487', 'PSC 3294, Box 9168\nAPO AA 61487'],
    ['Address: 14 Kotipolku 3\nPhone', '14 Kotipolku 3'],
  ])('postal address: %s', (text, address) => expect(found(postalAddressDetector, text)).toEqual([address]));

  test.each(['5 Main points', 'ip address: 10.0.0.1', 'e-mail address: 12 Abc', '3 apples and 4 Pears', 'Chapter 12 Drive carefully'])(
    'no postal address: %s',
    (text) => expect(found(postalAddressDetector, text)).toEqual([]),
  );

  const aba = (body: string) => body + ((10 - ([3, 7, 1, 3, 7, 1, 3, 7].reduce((sum, weight, index) => sum + weight * Number(body[index]), 0) % 10)) % 10);
  const routing = aba('12100024');
  const wrong = routing.slice(0, 8) + ((Number(routing[8]) + 1) % 10);

  test.each([
    [`routing number ${routing}`, [`bankRouting ${routing}`]],
    [`routing number ${wrong}`, []],
    [`order ${routing}`, []],
    ['sort code 12-34-56', ['bankRouting 12-34-56']],
    ['account number: 0012345678', ['bankAccount 0012345678']],
    ['Kontonummer 12 3456 7890', ['bankAccount 12 3456 7890']],
    ['passport no. C01X00T47', ['passport C01X00T47']],
    ['passport renewed in 2019', []],
    ["my driver's license number is F162823540116", ['driversLicence F162823540116']],
    ['take into account 5 cases', []],
  ])('%s', (text, expected) => expect(withTypes(labelledNumberDetector, text)).toEqual(expected));
});

describe('crypto wallets', () => {
  const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  const sha256 = (data: Buffer) => createHash('sha256').update(data).digest();
  /** A Bitcoin address of bytes nobody has a key for. */
  const address = (seed: string) => {
    const payload = Buffer.concat([Buffer.from([0]), sha256(Buffer.from(seed)).subarray(0, 20)]);
    let value = BigInt(`0x${Buffer.concat([payload, sha256(sha256(payload)).subarray(0, 4)]).toString('hex')}`);
    let text = '';
    for (; value > 0n; value /= 58n) text = BASE58[Number(value % 58n)] + text;
    return `1${text}`;
  };

  test('an address is found by its checksum, and not with a letter changed', () => {
    holdsFor(fc.tuple(fc.string(), fc.nat({ max: 24 })), ([seed, at]) => {
      const valid = address(seed);
      if (valid.length < 26) return;
      expect(found(cryptoWalletDetector, `to ${valid}.`)).toEqual([valid]);
      const place = 1 + at;
      const other = valid[place] === 'z' ? 'y' : 'z';
      expect(found(cryptoWalletDetector, valid.slice(0, place) + other + valid.slice(place + 1))).toEqual([]);
    });
  });

  test('Bech32, by the examples of BIP 173 and 350', () => {
    for (const valid of ['BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4', 'bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0']) {
      expect(found(cryptoWalletDetector, `to ${valid}`)).toEqual([valid]);
      expect(found(cryptoWalletDetector, `to ${valid.slice(0, -1)}${valid.endsWith('4') ? '5' : '4'}`)).toEqual([]);
    }
  });

  test('Ethereum by its form', () => {
    expect(found(cryptoWalletDetector, `0x${'5a'.repeat(20)}`)).toHaveLength(1);
    for (const text of [`0x${'5a'.repeat(21)}`, '5a'.repeat(20), `0x${'00'.repeat(20)}`]) expect(found(cryptoWalletDetector, text)).toEqual([]);
  });
});
