import { createHash } from 'node:crypto';
import fc from 'fast-check';
import examples from 'libphonenumber-js/examples.mobile.json' with { type: 'json' };
import { type CountryCode, getExampleNumber } from 'libphonenumber-js/min';
import { describe, expect, test } from 'vitest';
import { cardDetector } from '../../../adapters/redaction/personal/card.ts';
import { cryptoWalletDetector } from '../../../adapters/redaction/personal/crypto-wallet.ts';
import { dateOfBirthDetector } from '../../../adapters/redaction/personal/date-of-birth.ts';
import { emailDetector } from '../../../adapters/redaction/personal/email.ts';
import { ibanDetector } from '../../../adapters/redaction/personal/iban.ts';
import { labelledNumberDetector } from '../../../adapters/redaction/personal/labelled-number.ts';
import { ipAddressDetector, macAddressDetector } from '../../../adapters/redaction/personal/network-address.ts';
import { phoneDetector } from '../../../adapters/redaction/personal/phone.ts';
import { mayBeNational } from '../../../adapters/redaction/personal/phone-region.ts';
import { postalAddressDetector } from '../../../adapters/redaction/personal/postal-address.ts';
import { urlDetector } from '../../../adapters/redaction/personal/url.ts';
import type { Detector } from '../../../domain/redaction/port.ts';
import { holdsFor } from '../../support/property.ts';

const found = (detector: Detector, text: string, regions: readonly string[] = []) =>
  detector.find(text, { regions }).map(({ start, end }) => text.slice(start, end));
const withTypes = (detector: Detector, text: string) => detector.find(text, { regions: [] }).map(({ type, start, end }) => `${type} ${text.slice(start, end)}`);

describe('e-mail', () => {
  test.each([
    ['write to anna.b+news@mail.example.co.uk, please', 'anna.b+news@mail.example.co.uk'],
    ['<anna@example.com>', 'anna@example.com'],
    ['Ende: anna@example.com.', 'anna@example.com'],
    ['user=anna@example.com&x', 'anna@example.com'],
    ["'anna@example.com'", 'anna@example.com'],
    ["o'neill's: mary@example.ie", 'mary@example.ie'],
    ['jörg@bücher.example', 'jörg@bücher.example'],
    ['用户@例子.广告', '用户@例子.广告'],
    ['a@xn--bcher-kva.xn--p1ai', 'a@xn--bcher-kva.xn--p1ai'],
    ['"anna b"@example.com', '"anna b"@example.com'],
    ['anna@[192.0.2.1]', 'anna@[192.0.2.1]'],
    ['?email=anna%40example.com', 'anna%40example.com'],
    ['mailto:anna@example.com?subject=x', 'anna@example.com'],
  ])('%s', (text, address) => expect(found(emailDetector, text)).toEqual([address]));

  test.each([
    '@anna',
    'anna@',
    'anna@example',
    'a @ b.de',
    'npm i left-pad@1.3.0',
    'tollgate@0.1.0-rc.1',
    'git@github.example.com:org/repo.git',
    'https://anna:pw@example.com/x',
    '@media.print',
    'x@@example.com',
  ])('not in %s', (text) => expect(found(emailDetector, text)).toEqual([]));

  test('one right after the other', () => expect(found(emailDetector, 'a@b.de,c@d.de;e@f.de')).toEqual(['a@b.de', 'c@d.de', 'e@f.de']));
});

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
      const groups = card.length === 15 ? [4, 6, 5] : card.length === 14 ? [4, 6, 4] : [4, 4, 4, 4, 3];
      for (const separator of [' ', '-', '\u00a0']) {
        let from = 0;
        const printed = groups
          .map((length) => card.slice(from, (from += length)))
          .filter(Boolean)
          .join(separator); // biome-ignore lint/suspicious/noAssignInExpressions: cuts one after the other
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
    const number = luhn('99999999999999'.slice(0, 11) + '123');
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

describe('phones', () => {
  test('every country’s example number is found in international form, and in its country as people there write it', () => {
    const countries = Object.keys(examples) as CountryCode[];
    expect(countries.length).toBeGreaterThan(200);
    for (const country of countries) {
      const number = getExampleNumber(country, examples);
      if (!number) continue;
      expect(found(phoneDetector, `it is ${number.number}.`), country).toEqual([number.number]);
      expect(found(phoneDetector, `it is ${number.formatInternational()}.`), country).toEqual([number.formatInternational()]);
      const national = number.formatNational();
      expect(mayBeNational(national.replace(/\D/g, ''), country), country).toBe(true);
      const isRecognisable = /[ ()-]/.test(national) || national.startsWith('0');
      if (isRecognisable && national.replace(/\D/g, '').length >= 6) expect(found(phoneDetector, `it is ${national}!`, [country]), country).toEqual([national]);
    }
  });

  test.each([
    ['mobile: 0490 39 07 81', '0490 39 07 81'],
    ['Phone:\n467 3395', '467 3395'],
    ['"phoneNumber": "4673395"', '4673395'],
    ['Tel.: 030/123 45 67', '030/123 45 67'],
    ['416 60 039 office', '416 60 039'],
    ['call me back at 78 651 450', '78 651 450'],
    ['téléphone 93 92 16 85', '93 92 16 85'],
    ['電話 3456-7890', '3456-7890'],
    ['(602)272-9781', '(602)272-9781'],
    ['it is 780-999-2181.', '780-999-2181'],
    ['345-899-3560x4587', '345-899-3560x4587'],
    ['+1-903-140-4508 ext. 76', '+1-903-140-4508 ext. 76'],
    ['+46 (0)8 928 571 38', '+46 (0)8 928 571 38'],
    ['001-518-640-0854', '001-518-640-0854'],
    ['01.84.17.61.18', '01.84.17.61.18'],
  ])('%s', (text, number) => expect(found(phoneDetector, text)).toEqual([number]));

  test.each([
    'phone released on 2024-05-06', 'order 4155550123', '1700000000', '2024-05-06 11:12:13', '10.0.12.134', '123-45-6789', '1.234.567', '0.56 (0.51–0.67)', 'v1.2.3-4567890', '$1 234 567',
    '3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'ratio 1.07 (1.02–1.15)', 'our office is at 17031 2202 Rissik', 'pages 100-200, 300-400', '12 34 56 78 90 12 34 56 78 90', 'id_4155550123',
  ])('not in %s', (text) => expect(found(phoneDetector, text, ['US', 'GB', 'DE'])).toEqual([])); // biome-ignore format: a list

  test('digits in one piece need their country’s trunk prefix', () => {
    expect(found(phoneDetector, 'it is 03012345678', ['DE'])).toEqual(['03012345678']);
    expect(found(phoneDetector, 'it is 03012345678', [])).toEqual([]);
    expect(found(phoneDetector, 'it is 4155550123', ['US'])).toEqual([]);
  });
});

describe('addresses of machines', () => {
  test.each([
    ['from 86.121.97.248.', ['86.121.97.248']],
    ['[2001:db8::8a2e:370:7334]:443', ['2001:db8::8a2e:370:7334']],
    ['6e40:4041:c617:e898:c11:40d2:c669:2eb4', ['6e40:4041:c617:e898:c11:40d2:c669:2eb4']],
    ['fe80::1ff:fe23:4567:890a%eth0', ['fe80::1ff:fe23:4567:890a']],
    ['::ffff:192.0.2.128', ['192.0.2.128', '::ffff:192.0.2.128']],
    ['version 1.2.3.4', []],
    ['v10.0.1.2', []],
    ['FileVersion="10.0.1.2"', []],
    ['1.2.3.4.5', []],
    ['256.1.1.1', []],
    ['netmask 255.255.255.0', []],
    ['std::vector<a::b> Foo::Bar::baz', []],
    ['12:30:45 and 10:11', []],
    ['10.0.0.1-alpha', []],
  ])('%s', (text, addresses) => expect(found(ipAddressDetector, text)).toEqual(addresses));

  test.each([
    ['3C:22:fb:00:1d:9e', ['3C:22:fb:00:1d:9e']],
    ['3C-22-FB-00-1D-9E', ['3C-22-FB-00-1D-9E']],
    ['3c22.fb00.1d9e', ['3c22.fb00.1d9e']],
    ['00:00:00:00:00:00 ff:ff:ff:ff:ff:ff', []],
    ['3C:22:fb:00:1d:9e:11', []],
    ['3C:22-fb:00:1d:9e', []],
  ])('%s', (text, addresses) => expect(found(macAddressDetector, text)).toEqual(addresses));
});

describe('URLs', () => {
  const secret = ['s3', 'cr', '3t', 'value'].join('');
  test.each([
    [`postgres://app:${secret}@db.example.com/x`, [`urlCredentials app:${secret}`]],
    [`see https://x.example/cb?state=1&access_token=${secret}.`, [`urlToken ${secret}`]],
    [`https://x.example/#id_token=${secret}&a=b`, [`urlToken ${secret}`]],
    [`https://x.example/a?X-Amz-Signature=${secret}&Signature=${secret}`, [`urlToken ${secret}`, `urlToken ${secret}`]],
    ['ssh://git@host/x', []],
    ['https://x.example/?key=1&page=2&token=', []],
    ['https://x.example/@anna:x', []],
    [`x?token=${secret}`, []],
  ])('%s', (text, expected) => expect(withTypes(urlDetector, text)).toEqual(expected));
});

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
