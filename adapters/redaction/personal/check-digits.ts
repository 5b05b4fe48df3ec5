/** Check digits, each over a text of digits (and letters where it says so) without separators. */

export const digitsOf = (digits: string): readonly number[] => Array.from(digits, Number);

/** Σ digit × weight, as far as there are weights. */
export function weightedSum(digits: string, weights: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < weights.length; index += 1) sum += (digits.charCodeAt(index) - 48) * (weights[index] ?? 0);
  return sum;
}

/** ISO/IEC 7812: cards, CA SIN, SE, ZA. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = digits.length - 1, doubled = false; index >= 0; index -= 1, doubled = !doubled) {
    const digit = digits.charCodeAt(index) - 48;
    sum += doubled ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
  }
  return sum % 10 === 0;
}

/** The rest of a number of any length; a letter counts as 10 to 35. */
export function modulo(alphanumeric: string, divisor: number): number {
  let rest = 0;
  for (const character of alphanumeric) {
    const value = Number.parseInt(character, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % divisor;
  }
  return rest;
}

/** ISO 7064 MOD 11,10: DE tax id. */
export function isMod11And10(digits: string): boolean {
  let product = 10;
  for (let index = 0; index < digits.length - 1; index += 1) {
    const sum = (digits.charCodeAt(index) - 48 + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === digits.charCodeAt(digits.length - 1) - 48;
}

const VERHOEFF_PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

/** Product in the dihedral group of order 10. */
function dihedral(a: number, b: number): number {
  if (a < 5) return b < 5 ? (a + b) % 5 : 5 + ((a + b) % 5);
  return b < 5 ? 5 + ((a - b + 5) % 5) : (a - b + 5) % 5;
}

/** Verhoeff: IN Aadhaar. */
export function isVerhoeff(digits: string): boolean {
  let check = 0;
  digitsOf(digits)
    .toReversed()
    .forEach((digit, position) => {
      let permuted = digit;
      for (let times = position % 8; times > 0; times -= 1) permuted = VERHOEFF_PERMUTATION[permuted] ?? 0;
      check = dihedral(check, permuted);
    });
  return check === 0;
}

/** A day of the calendar, as written: two digits each, or a year of four. Any century where the year has two digits. */
export function isDate(year: string, month: string, day: string): boolean {
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  if (!(m >= 1 && m <= 12 && d >= 1)) return false;
  if (year.length === 4 && (y < 1850 || y > 2100)) return false;
  // 29 February of a year of two digits may have been one in some century.
  const leap = year.length === 2 ? y % 4 === 0 : (y % 4 === 0 && y % 100 !== 0) || y % 400 === 0;
  return d <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m - 1] ?? 0);
}

/** All digits the same, or running up or down: made-up numbers that pass many checks. */
export const isMonotonous = (digits: string): boolean => /^(\d)\1+$/.test(digits);
