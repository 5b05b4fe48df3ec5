import examples from 'libphonenumber-js/examples.mobile.json' with { type: 'json' };
import { type CountryCode, getExampleNumber } from 'libphonenumber-js/min';
import { describe, expect, test } from 'vitest';
import { phoneDetector } from '../../../adapters/redaction/personal/phone.ts';
import { mayBeNational } from '../../../adapters/redaction/personal/phone-region.ts';
import type { Detector } from '../../../domain/redaction/port.ts';

const found = (detector: Detector, text: string, regions: readonly string[] = []) =>
  detector.find(text, { regions }).map(({ start, end }) => text.slice(start, end));

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
