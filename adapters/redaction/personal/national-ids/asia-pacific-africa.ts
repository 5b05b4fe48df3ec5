import { isDate, isLuhn, isMonotonous, isVerhoeff, weightedSum } from '../check-digits.ts';
import { contextWords } from '../context.ts';
import type { NationalIdRule } from './rule.ts';

function isResidentRegistration(id: string): boolean {
  const century = '9';
  if (!isDate(id.slice(0, 2), id.slice(2, 4), id.slice(4, 6)) || id[6] === century) return false;
  return (11 - (weightedSum(id, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11)) % 10 === Number(id[12]);
}

/** Since October 2020 the last digits are random. */
const isRecentKorean = (id: string) => /^(?:2[0-9])/.test(id) && /[3478]/.test(id[6] ?? '') && isDate(`20${id.slice(0, 2)}`, id.slice(2, 4), id.slice(4, 6));

function isMyNumber(id: string): boolean {
  const rest = weightedSum(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return !isMonotonous(id) && (rest <= 1 ? 0 : 11 - rest) === Number(id[11]);
}

function isChinese(id: string): boolean {
  if (!/^[1-9]\d{16}[0-9X]$/.test(id) || !isDate(id.slice(6, 10), id.slice(10, 12), id.slice(12, 14))) return false;
  return '10X98765432'[weightedSum(id, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11] === id[17];
}

const NRIC: Readonly<Record<string, { readonly offset: number; readonly letters: string }>> = {
  S: { offset: 0, letters: 'JZIHGFEDCBA' },
  T: { offset: 4, letters: 'JZIHGFEDCBA' },
  F: { offset: 0, letters: 'XWUTRQPNMLK' },
  G: { offset: 4, letters: 'XWUTRQPNMLK' },
  M: { offset: 3, letters: 'XWUTRQPNJLK' },
};

function isNric(id: string): boolean {
  const series = NRIC[id[0] ?? ''];
  if (!series) return false;
  const rest = (weightedSum(id.slice(1, 8), [2, 7, 6, 5, 4, 3, 2]) + series.offset) % 11;
  return series.letters[id.startsWith('M') ? 10 - rest : rest] === id[8];
}

const TFN = [1, 4, 3, 7, 5, 8, 6, 9, 10];

export const asiaPacificAfrica: readonly NationalIdRule[] = [
  {
    name: 'in-aadhaar',
    region: 'IN',
    layouts: { '9999 9999 9999': 'contextOrRegion', '9999-9999-9999': 'contextOrRegion', '999999999999': 'contextOrRegion' },
    isValid: (id) => /^[2-9]/.test(id) && !isMonotonous(id) && isVerhoeff(id),
    words: contextWords('aadhaar', 'aadhar', 'uidai', 'आधार'),
  },
  {
    name: 'in-pan',
    region: 'IN',
    layouts: { AAAAA9999A: 'contextOrRegion' },
    isValid: (id) => /^[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]$/.test(id) && !id.includes('0000'),
    words: contextWords('pan', 'permanent account', 'income tax'),
  },
  {
    name: 'au-tfn',
    region: 'AU',
    layouts: { '999 999 999': 'contextOrRegion', '999999999': 'contextOrRegion', '999-999-999': 'contextOrRegion' },
    isValid: (id) => !isMonotonous(id) && weightedSum(id, TFN) % 11 === 0,
    words: contextWords('tfn', 'tax file'),
  },
  {
    name: 'au-medicare',
    region: 'AU',
    layouts: { '9999 99999 9': 'contextOrRegion', '9999999999': 'contextOrRegion', '9999-99999-9': 'contextOrRegion' },
    isValid: (id) => /^[2-6]/.test(id) && weightedSum(id, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === Number(id[8]),
    words: contextWords('medicare'),
  },
  {
    name: 'sg-nric',
    region: 'SG',
    layouts: { A9999999A: 'nothing' },
    isValid: isNric,
    words: contextWords('nric', 'fin number', 'identity card'),
  },
  {
    name: 'kr-rrn',
    region: 'KR',
    layouts: { '999999-9999999': 'nothing', '9999999999999': 'contextOrRegion' },
    isValid: isResidentRegistration,
    words: contextWords('rrn', 'resident registration', '주민등록번호', '주민번호'),
  },
  {
    name: 'kr-rrn',
    region: 'KR',
    layouts: { '999999-9999999': 'contextOrRegion' },
    isValid: isRecentKorean,
    words: contextWords('rrn', 'resident registration', '주민등록번호', '주민번호'),
  },
  {
    name: 'jp-my-number',
    region: 'JP',
    layouts: { '999999999999': 'contextOrRegion', '9999 9999 9999': 'contextOrRegion', '9999-9999-9999': 'contextOrRegion' },
    isValid: isMyNumber,
    words: contextWords('my number', 'mynumber', 'individual number', 'マイナンバー', '個人番号'),
  },
  {
    name: 'cn-resident-id',
    region: 'CN',
    layouts: { '999999999999999999': 'nothing', '99999999999999999A': 'nothing' },
    isValid: isChinese,
    words: contextWords('resident id', 'identity card', '身份证', '身份證'),
  },
  {
    name: 'za-id',
    region: 'ZA',
    layouts: { '9999999999999': 'contextOrRegion', '999999 9999 999': 'contextOrRegion', '999999 9999 99 9': 'contextOrRegion' },
    isValid: (id) => isDate(id.slice(0, 2), id.slice(2, 4), id.slice(4, 6)) && /[012]/.test(id[10] ?? '') && isLuhn(id),
    words: contextWords('id number', 'identity number', 'south african id', 'sa id', 'rsa id'),
  },
];
