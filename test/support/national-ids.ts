import { seededRandom } from './seeded-random.ts';

/** Below a limit, as a seed has it. */
type Below = (limit: number) => number;

/**
 * A country's id: how a valid one is made, with check digits computed here and not by the product, so that no real person's
 * number is needed; a word that names it; and whether its check digit finds every change of a single digit.
 */
export interface IdSample {
  readonly name: string;
  readonly region: string;
  readonly word: string;
  readonly make: (below: Below) => string | null;
  readonly findsEveryChange: boolean;
}

const pad = (value: number, length: number) => String(value).padStart(length, '0');
const digits = (below: Below, count: number) => Array.from({ length: count }, () => below(10)).join('');
const letter = (below: Below, alphabet: string) => alphabet[below(alphabet.length)] ?? '';
const letters = (below: Below, count: number, alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') => Array.from({ length: count }, () => letter(below, alphabet)).join('');
const sum = (id: string, weights: readonly number[]) => weights.reduce((total, weight, index) => total + weight * Number(id[index]), 0);
const date = (below: Below, order: 'ymd' | 'dmy', year = pad(below(100), 2)) => {
  const [month, day] = [pad(1 + below(12), 2), pad(1 + below(28), 2)];
  return order === 'ymd' ? year + month + day : day + month + year;
};

/** The one last character with which `isRight` holds; null where there is none. */
function complete(body: string, isRight: (id: string) => boolean, alphabet = '0123456789'): string | null {
  const last = [...alphabet].find((character) => isRight(body + character));
  return last === undefined ? null : body + last;
}

/** Luhn, from the left: independent of how the product counts. */
function luhn(id: string): boolean {
  const total = [...id].reverse().reduce((whole, character, index) => {
    const twice = Number(character) * (index % 2 === 0 ? 1 : 2);
    return whole + Math.floor(twice / 10) + (twice % 10);
  }, 0);
  return total % 10 === 0;
}

/** Verhoeff by its published tables. */
const D = ['0123456789', '1234067895', '2340178956', '3401289567', '4012395678', '5987604321', '6598710432', '7659821043', '8765932104', '9876543210'];
const P = ['0123456789', '1576283094', '5803796142', '8916043527', '9453126870', '4286573901', '2793806415', '7046913258'];
const verhoeff = (id: string) => [...id].reverse().reduce((check, character, index) => Number(D[check]?.[Number(P[index % 8]?.[Number(character)])]), 0) === 0;

const brazilian = (body: string): string => {
  const digit = (id: string, longest: number) => {
    const total = [...id].reverse().reduce((whole, character, index) => whole + Number(character) * (2 + (index % (longest - 1))), 0);
    return total % 11 < 2 ? 0 : 11 - (total % 11);
  };
  const longest = body.length === 9 ? 12 : 9;
  const first = body + digit(body, longest);
  return first + digit(first, longest);
};

const ODD = 'BAKPLCQDREVOSFTGUHMINJWZYX';
function codiceFiscale(body: string): string {
  const value = (character: string) => (/\d/.test(character) ? Number(character) : character.charCodeAt(0) - 65);
  const total = [...body].reduce(
    (whole, character, index) => whole + (index % 2 === 0 ? ODD.indexOf(String.fromCharCode(65 + value(character))) : value(character)),
    0,
  );
  return body + String.fromCharCode(65 + (total % 26));
}

/** ISO 7064 MOD 11,10 by its recursion, and one digit twice among the first ten. */
function taxIdOfGermany(below: Below): string | null {
  const order = [...'0123456789']
    .map((digit) => ({ digit, key: below(1_000_000) }))
    .sort((a, b) => a.key - b.key)
    .map(({ digit }) => digit);
  const ten = [...order.slice(0, 9)];
  ten.splice(1 + below(9), 0, order[0] ?? '');
  if (ten[0] === '0') return null;
  let product = 10;
  for (const digit of ten) {
    const rest = (Number(digit) + product) % 10;
    product = (2 * (rest === 0 ? 10 : rest)) % 11;
  }
  return ten.join('') + ((11 - product) % 10);
}

const CURP = '0123456789ABCDEFGHIJKLMN?OPQRSTUVWXYZ';
const NRIC: Readonly<Record<string, readonly [number, string]>> = {
  S: [0, 'JZIHGFEDCBA'],
  T: [4, 'JZIHGFEDCBA'],
  F: [0, 'XWUTRQPNMLK'],
  G: [4, 'XWUTRQPNMLK'],
};

export const ID_SAMPLES: readonly IdSample[] = [
  { name: 'us-ssn', region: 'US', word: 'SSN', findsEveryChange: false, make: (b) => `${pad(1 + b(665), 3)}${pad(1 + b(99), 2)}${pad(1 + b(9_999), 4)}` },
  { name: 'us-itin', region: 'US', word: 'ITIN', findsEveryChange: false, make: (b) => `9${pad(b(100), 2)}${70 + b(19)}${digits(b, 4)}` },
  { name: 'ca-sin', region: 'CA', word: 'social insurance', findsEveryChange: true, make: (b) => complete(`${1 + b(7)}${digits(b, 7)}`, luhn) },
  { name: 'br-cpf', region: 'BR', word: 'CPF', findsEveryChange: false, make: (b) => brazilian(digits(b, 9)) },
  { name: 'br-cnpj', region: 'BR', word: 'CNPJ', findsEveryChange: false, make: (b) => brazilian(digits(b, 12)) },
  {
    name: 'mx-curp',
    region: 'MX',
    word: 'CURP',
    findsEveryChange: false,
    make: (b) =>
      complete(`${letters(b, 1)}A${letters(b, 2)}${date(b, 'ymd')}HDF${letters(b, 3, 'BCDFGHJKLMNPQRSTVWXYZ')}${b(10)}`, (id) =>
        [...id].reduce((total, character, index) => total + CURP.indexOf(character) * (18 - index), 0) % 10 === 0,
      ),
  },
  { name: 'gb-nhs', region: 'GB', word: 'NHS', findsEveryChange: true, make: (b) => complete(digits(b, 9), (id) => sum(id, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0) },
  { name: 'gb-nino', region: 'GB', word: 'national insurance', findsEveryChange: false, make: (b) => `A${letter(b, 'ABCEGHJKLMNPRSTWXYZ')}${digits(b, 6)}${letter(b, 'ABCD')}` },
  { name: 'de-tax-id', region: 'DE', word: 'Steuer-ID', findsEveryChange: true, make: taxIdOfGermany },
  { name: 'fr-nir', region: 'FR', word: 'INSEE', findsEveryChange: true, make: (b) => { const body = `${1 + b(2)}${pad(b(100), 2)}${pad(1 + b(12), 2)}${pad(1 + b(95), 2)}${digits(b, 6)}`; return body + pad(97 - Number(BigInt(body) % 97n), 2); } },
  { name: 'nl-bsn', region: 'NL', word: 'BSN', findsEveryChange: true, make: (b) => complete(digits(b, 8), (id) => sum(id, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0) },
  { name: 'be-national-number', region: 'BE', word: 'rijksregister', findsEveryChange: false, make: (b) => { const body = date(b, 'ymd') + digits(b, 3); return body + pad(97 - (Number(body) % 97), 2); } },
  { name: 'ch-ahv', region: 'CH', word: 'AHV', findsEveryChange: true, make: (b) => complete(`756${digits(b, 9)}`, (id) => sum(id, [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 === 0) },
  {
    name: 'at-social-security',
    region: 'AT',
    word: 'SVNR',
    findsEveryChange: true,
    make: (b) => {
      const [serial, born] = [`${1 + b(9)}${digits(b, 2)}`, date(b, 'dmy')];
      const check = sum(serial + born, [3, 7, 9, 5, 8, 4, 2, 1, 6]) % 11;
      return check === 10 ? null : serial + check + born;
    },
  },
  { name: 'es-dni', region: 'ES', word: 'DNI', findsEveryChange: true, make: (b) => { const id = digits(b, 8); return id + 'TRWAGMYFPDXBNJZSQVHLCKE'[Number(id) % 23]; } },
  { name: 'es-nie', region: 'ES', word: 'NIE', findsEveryChange: true, make: (b) => { const [first, id] = [b(3), digits(b, 7)]; return `${'XYZ'[first]}${id}${'TRWAGMYFPDXBNJZSQVHLCKE'[Number(`${first}${id}`) % 23]}`; } },
  { name: 'it-codice-fiscale', region: 'IT', word: 'codice fiscale', findsEveryChange: true, make: (b) => codiceFiscale(`${letters(b, 6)}${digits(b, 2)}${letter(b, 'ABCDEHLMPRST')}${pad(1 + b(28), 2)}${letters(b, 1)}${digits(b, 3)}`) },
  { name: 'pt-nif', region: 'PT', word: 'contribuinte', findsEveryChange: false, make: (b) => complete(`2${digits(b, 7)}`, (id) => { const rest = sum(id, [9, 8, 7, 6, 5, 4, 3, 2]) % 11; return Number(id[8]) === (rest < 2 ? 0 : 11 - rest); }) },
  { name: 'se-personnummer', region: 'SE', word: 'personnummer', findsEveryChange: true, make: (b) => complete(date(b, 'ymd') + digits(b, 3), luhn) },
  {
    name: 'no-fodselsnummer',
    region: 'NO',
    word: 'fødselsnummer',
    findsEveryChange: true,
    make: (b) => {
      const nine = complete(date(b, 'dmy') + digits(b, 3), (id) => sum(id, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0);
      return nine && complete(nine, (id) => sum(id, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0);
    },
  },
  { name: 'dk-cpr', region: 'DK', word: 'CPR', findsEveryChange: false, make: (b) => date(b, 'dmy') + digits(b, 4) },
  { name: 'fi-hetu', region: 'FI', word: 'hetu', findsEveryChange: true, make: (b) => { const id = date(b, 'dmy') + pad(2 + b(898), 3); return id + '0123456789ABCDEFHJKLMNPRSTUVWXY'[Number(id) % 31]; } },
  { name: 'pl-pesel', region: 'PL', word: 'PESEL', findsEveryChange: true, make: (b) => complete(date(b, 'ymd') + digits(b, 4), (id) => sum(id, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0) },
  { name: 'in-aadhaar', region: 'IN', word: 'Aadhaar', findsEveryChange: true, make: (b) => complete(`${2 + b(8)}${digits(b, 10)}`, verhoeff) },
  { name: 'in-pan', region: 'IN', word: 'income tax', findsEveryChange: false, make: (b) => `${letters(b, 3)}P${letters(b, 1)}${pad(1 + b(9_999), 4)}${letters(b, 1)}` },
  { name: 'au-tfn', region: 'AU', word: 'TFN', findsEveryChange: true, make: (b) => complete(digits(b, 8), (id) => sum(id, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0) },
  { name: 'au-medicare', region: 'AU', word: 'Medicare', findsEveryChange: false, make: (b) => { const body = `${2 + b(5)}${digits(b, 7)}`; return `${body}${sum(body, [1, 3, 7, 9, 1, 3, 7, 9]) % 10}${1 + b(9)}`; } },
  { name: 'sg-nric', region: 'SG', word: 'NRIC', findsEveryChange: true, make: (b) => { const [first, id] = [letter(b, 'STFG'), digits(b, 7)]; const [offset, ends] = NRIC[first] ?? [0, '']; return first + id + ends[(sum(id, [2, 7, 6, 5, 4, 3, 2]) + offset) % 11]; } },
  { name: 'kr-rrn', region: 'KR', word: 'resident registration', findsEveryChange: false, make: (b) => complete(`${date(b, 'ymd', pad(50 + b(50), 2))}${1 + b(2)}${digits(b, 5)}`, (id) => Number(id[12]) === (11 - (sum(id, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11)) % 10) },
  { name: 'jp-my-number', region: 'JP', word: 'My Number', findsEveryChange: false, make: (b) => complete(digits(b, 11), (id) => { const rest = sum(id, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11; return Number(id[11]) === (rest <= 1 ? 0 : 11 - rest); }) },
  { name: 'cn-resident-id', region: 'CN', word: '身份证', findsEveryChange: true, make: (b) => { const body = `${1 + b(9)}${digits(b, 5)}${date(b, 'ymd', `19${pad(b(100), 2)}`)}${digits(b, 3)}`; return body + '10X98765432'[sum(body, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11]; } },
  { name: 'za-id', region: 'ZA', word: 'identity number', findsEveryChange: true, make: (b) => complete(`${date(b, 'ymd')}${digits(b, 4)}${b(2)}8`, luhn) },
]; // biome-ignore format: a table

/** A valid id by a seed. */
export function validId(sample: IdSample, seed: number): string {
  const random = seededRandom(seed);
  for (;;) {
    const id = sample.make((limit) => random.below(limit));
    if (id !== null) return id;
  }
}
