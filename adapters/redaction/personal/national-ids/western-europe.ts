import { isDate, isMod11And10, isMonotonous, modulo, weightedSum } from '../check-digits.ts';
import { contextWords } from '../context.ts';
import type { NationalIdRule } from './rule.ts';

/** 11 − (sum mod 11), 11 counted as 0; 10 is never given out. */
const mod11Digit = (digits: string, weights: readonly number[]) => (11 - (weightedSum(digits, weights) % 11)) % 11;

/** In the first ten digits one occurs twice or three times, every other at most once. */
function hasOneRepeatedDigit(digits: string): boolean {
  const counts = new Map<string, number>();
  for (const digit of digits) counts.set(digit, (counts.get(digit) ?? 0) + 1);
  const repeated = [...counts.values()].filter((count) => count > 1);
  return repeated.length === 1 && (repeated[0] === 2 || repeated[0] === 3);
}

/** The number of German social security: area, birthday, initial, serial. Letters count as two digits; cross sums. */
function isGermanSocialSecurity(id: string): boolean {
  const digits = id.replace(/[A-Z]/, (letter) => String(letter.charCodeAt(0) - 64).padStart(2, '0'));
  let sum = 0;
  [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1].forEach((weight, index) => {
    const product = Number(digits[index]) * weight;
    sum += Math.floor(product / 10) + (product % 10);
  });
  const day = Number(id.slice(2, 4));
  return isDate(id.slice(6, 8), id.slice(4, 6), String(day > 50 ? day - 50 : day)) && sum % 10 === Number(id[11]);
}

/** Corsica's departments have a letter; 2A counts as 19 and 2B as 18. */
function isNir(id: string): boolean {
  if (!/^[12378]\d\d(?:0[1-9]|1[0-2]|[2-9]\d)\d[0-9AB]\d{8}$/.test(id)) return false;
  const digits = id.replace('2A', '19').replace('2B', '18');
  return /^\d+$/.test(digits) && 97 - modulo(digits.slice(0, 13), 97) === Number(digits.slice(13));
}

function isBelgian(id: string): boolean {
  const check = Number(id.slice(9));
  const body = id.slice(0, 9);
  const month = Number(id.slice(2, 4)) % 20;
  // Who was born in 2000 or later has a 2 put before; unknown days and months are 00.
  const isBorn = month <= 12 && Number(id.slice(4, 6)) <= 31 && !isMonotonous(id);
  return isBorn && (97 - modulo(body, 97) === check || 97 - modulo(`2${body}`, 97) === check);
}

const AHV = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3];
const NINO = /^(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]$/;

export const westernEurope: readonly NationalIdRule[] = [
  {
    name: 'gb-nhs',
    region: 'GB',
    layouts: { '999 999 9999': 'contextOrRegion', '999-999-9999': 'contextOrRegion', '9999999999': 'contextOrRegion' },
    isValid: (id) => !isMonotonous(id) && mod11Digit(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(id[9]),
    words: contextWords('nhs', 'national health'),
  },
  {
    name: 'gb-nino',
    region: 'GB',
    layouts: { 'AA 99 99 99 A': 'nothing', 'AA-99-99-99-A': 'nothing', 'AA 999999 A': 'nothing', AA999999A: 'contextOrRegion' },
    isValid: (id) => NINO.test(id),
    words: contextWords('nino', 'national insurance', 'ni number', 'ni no'),
  },
  {
    name: 'de-tax-id',
    region: 'DE',
    layouts: { '99 999 999 999': 'contextOrRegion', '99999999999': 'contextOrRegion' },
    isValid: (id) => !id.startsWith('0') && hasOneRepeatedDigit(id.slice(0, 10)) && isMod11And10(id),
    words: contextWords('steuer', 'identifikationsnummer', 'idnr', 'tax id', 'tin'),
  },
  {
    name: 'de-social-security',
    region: 'DE',
    layouts: { '99999999A999': 'nothing', '99 999999 A 999': 'nothing' },
    isValid: isGermanSocialSecurity,
    words: contextWords('rentenversicherung', 'sozialversicherung', 'svnr', 'rvnr'),
  },
  {
    name: 'fr-nir',
    region: 'FR',
    layouts: {
      '999999999999999': 'nothing',
      '9999999999999 99': 'nothing',
      '9 99 99 99 999 999 99': 'nothing',
      '99999A999999999': 'nothing',
      '9 99 99 9A 999 999 99': 'nothing',
    },
    isValid: isNir,
    words: contextWords('nir', 'sécurité sociale', 'securite sociale', 'insee'),
  },
  {
    name: 'nl-bsn',
    region: 'NL',
    layouts: { '999999999': 'contextOrRegion', '9999.99.999': 'contextOrRegion', '9999 99 999': 'contextOrRegion' },
    isValid: (id) => !isMonotonous(id) && weightedSum(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
    words: contextWords('bsn', 'burgerservice', 'sofinummer', 'sofi'),
  },
  {
    name: 'be-national-number',
    region: 'BE',
    layouts: { '99.99.99-999.99': 'nothing', '999999-999-99': 'nothing', '999999-99999': 'nothing', '99999999999': 'contextOrRegion' },
    isValid: isBelgian,
    words: contextWords('rijksregister', 'registre national', 'numéro national', 'insz', 'niss', 'national number'),
  },
  {
    name: 'ch-ahv',
    region: 'CH',
    layouts: { '999.9999.9999.99': 'nothing', '9999999999999': 'nothing' },
    isValid: (id) => id.startsWith('756') && (10 - (weightedSum(id, AHV) % 10)) % 10 === Number(id[12]),
    words: contextWords('ahv', 'avs', 'oasi'),
  },
  {
    name: 'at-social-security',
    region: 'AT',
    layouts: { '9999 999999': 'contextOrRegion', '9999999999': 'contextOrRegion' },
    // Month 13 and later stands for a day that had no numbers left.
    isValid: (id) =>
      !id.startsWith('0') &&
      /^\d{4}(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-5])\d\d$/.test(id) &&
      weightedSum(id, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 === Number(id[3]),
    words: contextWords('svnr', 'sv nummer', 'sozialversicherung', 'versicherungsnummer'),
  },
];
