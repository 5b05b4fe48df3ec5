import { isMonotonous, weightedSum } from '../check-digits.ts';
import { contextWords } from '../context.ts';
import type { NationalIdRule } from './rule.ts';

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';

/** DNI and NIE share the letter; an NIE begins with X, Y or Z for 0, 1 or 2. */
function isDniOrNie(id: string): boolean {
  const digits = id.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter)));
  return /^\d{8}$/.test(digits) && DNI_LETTERS[Number(digits) % 23] === id.at(-1);
}

/** What a character counts at an odd place (the first is odd); digits count as the letters A to J do. */
const ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
const place = (character: string) => (/\d/.test(character) ? Number(character) : character.charCodeAt(0) - 65);

function isCodiceFiscale(id: string): boolean {
  if (!/^[A-Z]{6}\d\d[ABCDEHLMPRST](?:[04][1-9]|[1256]\d|[37][01])[A-Z]\d{3}[A-Z]$/.test(id)) return false;
  let sum = 0;
  for (let index = 0; index < 15; index += 1) sum += index % 2 === 0 ? (ODD[place(id[index] ?? '')] ?? 0) : place(id[index] ?? '');
  return String.fromCharCode(65 + (sum % 26)) === id[15];
}

function isNif(id: string): boolean {
  const rest = weightedSum(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return !isMonotonous(id) && /^(?:[123568]|45|7[0124579]|9[0189])/.test(id) && (rest < 2 ? 0 : 11 - rest) === Number(id[8]);
}

export const southernEurope: readonly NationalIdRule[] = [
  {
    name: 'es-dni',
    region: 'ES',
    layouts: { '99999999A': 'nothing', '99999999-A': 'nothing', '99999999 A': 'contextOrRegion', '99.999.999-A': 'nothing', '99.999.999A': 'nothing' },
    isValid: isDniOrNie,
    words: contextWords('dni', 'nif', 'documento nacional'),
  },
  {
    name: 'es-nie',
    region: 'ES',
    layouts: { A9999999A: 'nothing', 'A-9999999-A': 'nothing', 'A-9999999A': 'nothing' },
    isValid: isDniOrNie,
    words: contextWords('nie', 'extranjero'),
  },
  {
    name: 'it-codice-fiscale',
    region: 'IT',
    layouts: { AAAAAA99A99A999A: 'nothing' },
    isValid: isCodiceFiscale,
    words: contextWords('codice fiscale', 'cod fisc'),
  },
  {
    name: 'pt-nif',
    region: 'PT',
    layouts: { '999999999': 'contextOrRegion', '999 999 999': 'contextOrRegion' },
    isValid: isNif,
    words: contextWords('nif', 'contribuinte', 'número fiscal', 'numero fiscal'),
  },
];
