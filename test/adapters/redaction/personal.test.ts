import { describe, expect, test } from 'vitest';
import { emailDetector } from '../../../adapters/redaction/personal/email.ts';
import { ipAddressDetector, macAddressDetector } from '../../../adapters/redaction/personal/network-address.ts';
import { urlDetector } from '../../../adapters/redaction/personal/url.ts';
import type { Detector } from '../../../domain/redaction/port.ts';

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
    ['http://127.0.0.1:7480', []],
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
    ['https://x.example/?access_token=ACCESS_TOKEN', []],
    ['https://x.example/?key=1&page=2&token=', []],
    ['https://x.example/@anna:x', []],
    [`x?token=${secret}`, []],
  ])('%s', (text, expected) => expect(withTypes(urlDetector, text)).toEqual(expected));
});
