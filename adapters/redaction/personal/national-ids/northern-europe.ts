import { isDate, isLuhn, weightedSum } from '../check-digits.ts';
import { contextWords } from '../context.ts';
import type { NationalIdRule } from './rule.ts';

/** A coordination number of Sweden has 60 added to the day. */
function isPersonnummer(id: string): boolean {
  const short = id.slice(-10);
  const day = Number(short.slice(4, 6));
  return isDate(id.slice(0, -8), short.slice(2, 4), String(day > 60 ? day - 60 : day)) && isLuhn(short);
}

/** A D number of Norway has 40 added to the day. */
function isFodselsnummer(id: string): boolean {
  const day = Number(id.slice(0, 2));
  return (
    isDate(id.slice(4, 6), id.slice(2, 4), String(day > 40 ? day - 40 : day)) &&
    (11 - (weightedSum(id, [3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11)) % 11 === Number(id[9]) &&
    (11 - (weightedSum(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11 === Number(id[10])
  );
}

const HETU_CHARACTERS = '0123456789ABCDEFHJKLMNPRSTUVWXY';

/** The sign of the century (`-`, `+`) is gone where it was a separator; a letter has stayed. */
function isHetu(id: string): boolean {
  if (!/^\d{6}[A-FU-Y]?\d{3}[0-9A-Y]$/.test(id)) return false;
  const serial = id.slice(-4, -1);
  const isBorn = isDate(id.slice(4, 6), id.slice(2, 4), id.slice(0, 2)) && Number(serial) >= 2;
  return isBorn && HETU_CHARACTERS[Number(id.slice(0, 6) + serial) % 31] === id.at(-1);
}

/** Months of other centuries have 20, 40, 60 or 80 added. */
function isPesel(id: string): boolean {
  const sum = weightedSum(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
  return isDate(id.slice(0, 2), String(Number(id.slice(2, 4)) % 20), id.slice(4, 6)) && (10 - (sum % 10)) % 10 === Number(id[10]);
}

export const northernEurope: readonly NationalIdRule[] = [
  {
    name: 'se-personnummer',
    region: 'SE',
    layouts: {
      '999999-9999': 'nothing',
      '999999+9999': 'nothing',
      '99999999-9999': 'nothing',
      '9999999999': 'contextOrRegion',
      '999999999999': 'contextOrRegion',
    },
    isValid: isPersonnummer,
    words: contextWords('personnummer', 'samordningsnummer', 'personal identity'),
  },
  {
    name: 'no-fodselsnummer',
    region: 'NO',
    layouts: { '99999999999': 'nothing', '999999 99999': 'nothing' },
    isValid: isFodselsnummer,
    words: contextWords('fødselsnummer', 'fodselsnummer', 'personnummer'),
  },
  {
    name: 'dk-cpr',
    region: 'DK',
    layouts: { '999999-9999': 'contextOrRegion', '9999999999': 'context' },
    // The check digit has not been kept since 2007.
    isValid: (id) => isDate(id.slice(4, 6), id.slice(2, 4), id.slice(0, 2)),
    words: contextWords('cpr', 'personnummer'),
  },
  {
    name: 'fi-hetu',
    region: 'FI',
    layouts: {
      '999999-999A': 'nothing',
      '999999-9999': 'nothing',
      '999999+999A': 'nothing',
      '999999+9999': 'nothing',
      '999999A999A': 'nothing',
      '999999A9999': 'nothing',
    },
    isValid: isHetu,
    words: contextWords('hetu', 'henkilötunnus', 'henkilotunnus', 'personbeteckning'),
  },
  {
    name: 'pl-pesel',
    region: 'PL',
    layouts: { '99999999999': 'contextOrRegion' },
    isValid: isPesel,
    words: contextWords('pesel'),
  },
];
