import { isDate, isLuhn, isMonotonous, weightedSum } from '../check-digits.ts';
import { contextWords } from '../context.ts';
import type { NationalIdRule } from './rule.ts';

const TAXPAYER = contextWords('ssn', 'social security', 'soc sec', 'ss #', 'itin', 'taxpayer', 'tax id', 'tin');

/** 4th and 5th digit of an ITIN (IRS). */
const isItinGroup = (group: number) => (group >= 50 && group <= 65) || (group >= 70 && group <= 88) || (group >= 90 && group <= 92) || group >= 94;

const CURP_ALPHABET = '0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ';

function isCurp(id: string): boolean {
  if (
    !/^[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX](?:AS|B[CS]|C[CLMSH]|D[FG]|G[TR]|HG|JC|M[CNS]|N[ETL]|OC|PL|Q[TR]|S[PLR]|T[CSL]|VZ|YN|ZS)[B-DF-HJ-NP-TV-Z]{3}[0-9A-Z]\d$/.test(
      id,
    )
  )
    return false;
  let sum = 0;
  for (let index = 0; index < 17; index += 1) sum += CURP_ALPHABET.indexOf(id[index] ?? '') * (18 - index);
  return isDate(id.slice(4, 6), id.slice(6, 8), id.slice(8, 10)) && (10 - (sum % 10)) % 10 === Number(id[17]);
}

/** The check digit of Brazil's registers: 0 where the rest is below 2. */
const brazilian = (digits: string, weights: readonly number[]) => {
  const rest = weightedSum(digits, weights) % 11;
  return rest < 2 ? 0 : 11 - rest;
};
const CNPJ = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

export const americas: readonly NationalIdRule[] = [
  {
    name: 'us-ssn',
    region: 'US',
    layouts: { '999-99-9999': 'nothing', '999 99 9999': 'contextOrRegion', '999.99.9999': 'contextOrRegion', '999999999': 'context' },
    isValid: (id) => !/^(?:000|666|9)/.test(id) && id.slice(3, 5) !== '00' && id.slice(5) !== '0000',
    words: TAXPAYER,
  },
  {
    name: 'us-itin',
    region: 'US',
    layouts: { '999-99-9999': 'nothing', '999 99 9999': 'contextOrRegion', '999999999': 'context' },
    isValid: (id) => id.startsWith('9') && isItinGroup(Number(id.slice(3, 5))),
    words: TAXPAYER,
  },
  {
    name: 'ca-sin',
    region: 'CA',
    layouts: { '999-999-999': 'contextOrRegion', '999 999 999': 'contextOrRegion', '999999999': 'contextOrRegion' },
    isValid: (id) => !/^[08]/.test(id) && !isMonotonous(id) && isLuhn(id),
    words: contextWords('sin', 'nas', 'social insurance', 'assurance sociale'),
  },
  {
    name: 'br-cpf',
    region: 'BR',
    layouts: { '999.999.999-99': 'nothing', '999999999-99': 'nothing', '99999999999': 'contextOrRegion' },
    isValid: (id) =>
      !isMonotonous(id) && brazilian(id, [10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(id[9]) && brazilian(id, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === Number(id[10]),
    words: contextWords('cpf', 'cadastro de pessoa'),
  },
  {
    name: 'br-cnpj',
    region: 'BR',
    layouts: { '99.999.999/9999-99': 'nothing', '99999999999999': 'contextOrRegion' },
    isValid: (id) => !isMonotonous(id) && brazilian(id, CNPJ.slice(1)) === Number(id[12]) && brazilian(id, CNPJ) === Number(id[13]),
    words: contextWords('cnpj'),
  },
  {
    name: 'mx-curp',
    region: 'MX',
    layouts: { AAAA999999AAAAAAA9: 'nothing', AAAA999999AAAAAA99: 'nothing' },
    isValid: isCurp,
    words: contextWords('curp'),
  },
];
