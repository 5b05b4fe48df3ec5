import { describe, expect, test } from 'vitest';
import {
  changedPaths,
  durationText,
  type Json,
  labelOf,
  piecesOf,
  plainText,
  rawJson,
  showValue,
  summaryOf,
  untilText,
  usdText,
} from '../../../client/inbox/format.ts';

describe('values', () => {
  test.each<[string, Json, Record<string, Json>, string, string | undefined]>([
    ['amountCents', 32_900, {}, '329.00', '32900'],
    ['amountCents', 32_900, { currency: 'eur' }, '€329.00', '32900'],
    ['amountMinorUnits', 500, { currency: 'JPY' }, '¥500', '500'],
    ['amount', 12.5, { currency: 'USD' }, '$12.50', '12.5'],
    ['amountUsd', '0.0123', {}, '$0.0123', '0.0123'],
    ['amountNanoUsd', 1_500_000_000, {}, '$1.50', '1500000000'],
    ['amount', 12.5, {}, '12.5', undefined],
    ['orderId', 20_240_101, { currency: 'USD' }, '20240101', undefined],
    ['amount', 'a lot', { currency: 'USD' }, 'a lot', undefined],
    ['amount', 5, { currency: '<b>' }, '5', undefined],
    ['dueOn', '2026-11-25', {}, 'Wed, 25 Nov 2026', '2026-11-25'],
    ['waitMs', 65_000, {}, '1 min 5 s', '65000'],
    ['when', '2026-13-45T00:00:00Z', {}, '2026-13-45T00:00:00Z', undefined],
    ['ok', true, {}, 'yes', 'true'],
    ['note', '', {}, 'empty text', '""'],
    ['note', null, {}, 'nothing', 'null'],
    ['tags', [], {}, 'an empty list', undefined],
    ['to', { a: 1 }, {}, '1 field', undefined],
  ])('%s %j beside %j reads %s', (key, value, siblings, text, raw) => {
    expect(showValue(key, value, siblings)).toMatchObject({ text, ...(raw === undefined ? {} : { raw }) });
    if (raw === undefined) expect(showValue(key, value, siblings).raw).toBeUndefined();
  });

  test('an amount is never rounded to a nicer one', () => {
    expect(showValue('amount', 0.123456789, { currency: 'USD' }).text).toBe('$0.123456789');
    expect(showValue('priceUsd', '1.999', {}).text).toBe('$1.999');
  });

  test('a moment keeps what was sent beside it', () => {
    expect(showValue('at', '2026-11-25T08:00:00Z')).toMatchObject({ kind: 'date', raw: '2026-11-25T08:00:00Z', text: expect.stringContaining('25 Nov 2026') });
    expect(showValue('expiresAtMs', 1_795_593_600_000)).toMatchObject({ kind: 'date', raw: '1795593600000' });
    expect(showValue('expiresAtMs', 9e15)).toMatchObject({ text: '9000000000000000' });
  });
});

describe('hostile text', () => {
  test.each(['\u202e', '\u2066', '\u200b', '\u0000', '\u001b', '\ufeff', '\u2028', '\u00ad', '\u{e0041}', '\ud800', '\r', '\u3164'])(
    '%j does not hide',
    (character) => {
      const name = `U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}`;
      expect(piecesOf(`pay ${character}bob`)).toEqual([{ text: 'pay ' }, { text: character, mark: name }, { text: 'bob' }]);
      expect(plainText(`a${character}`)).toBe(`a[${name}]`);
      expect(rawJson({ to: `a${character}b` })).toMatch(/^[\n -~]+$/);
      expect(JSON.parse(rawJson({ to: `a${character}b` }))).toEqual({ to: `a${character}b` });
    },
  );

  test('what people write stays as it is', () => {
    const text = 'Zoë, 東京, “quotes”\n\ttab, naïve – مرحبا 😀';
    expect(piecesOf(text)).toEqual([{ text }]);
  });

  test('a line of the list is short, plain and on one line', () => {
    expect(summaryOf({ to: '<img src=x onerror=alert(1)>', note: 'a\u202eb', deep: { x: 1 } })).toBe('<img src=x onerror=alert(1)> · a[U+202E]b');
    expect(summaryOf({ text: `${'x'.repeat(5_000)}\n\n` }).length).toBeLessThan(130);
  });
});

test('labels are words', () => {
  expect(['orderId', 'order_id', 'IBAN', 'to-account'].map(labelOf)).toEqual(['order id', 'order id', 'iban', 'to account']);
});

test('times are in the units that matter', () => {
  expect([12, 4_240, 61_000, 7_800_000, 273_600_000].map(durationText)).toEqual(['12 ms', '4.2 s', '1 min 1 s', '2 h 10 min', '3 d 4 h']);
  expect([-5, 999, 59_999].map(untilText)).toEqual(['0 s', '0 s', '59 s']);
});

test('dollars have as many places as they need', () => {
  expect(['0', '1.5', '0.0123', '0.000117', '1234.5'].map(usdText)).toEqual(['$0.00', '$1.50', '$0.0123', '$0.000117', '$1,234.50']);
});

test('what changed is named by its path', () => {
  expect(changedPaths({ a: 1, to: { iban: 'x', name: 'y' }, list: [1] }, { a: 1, to: { iban: 'z', name: 'y' }, list: [1, 2], more: null })).toEqual([
    'to.iban',
    'list',
    'more',
  ]);
  expect(changedPaths({ a: 1 }, { a: 1 })).toEqual([]);
  expect(changedPaths('a', 'b')).toEqual(['arguments']);
});
