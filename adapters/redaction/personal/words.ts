const isDigitCode = (code: number) => code >= 48 && code <= 57;
/** An ASCII letter or digit. Other scripts write numbers without a space around them, so their letters end a word. */
export const isWordCode = (code: number): boolean => isDigitCode(code) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);

export const isDigitAt = (text: string, index: number): boolean => isDigitCode(text.charCodeAt(index));
export const isWordAt = (text: string, index: number): boolean => isWordCode(text.charCodeAt(index));

/**
 * Visits every longest run of ASCII letters and digits that has a digit, from left to right. What comes before the index
 * that `visit` returns is skipped. Looks at each character a bounded number of times; prose without digits costs next to nothing.
 */
export function visitDigitWords(text: string, visit: (start: number, end: number) => number | undefined): void {
  const digit = /[0-9]/g;
  let from = 0;
  for (let hit = digit.exec(text); hit !== null; hit = digit.exec(text)) {
    let start = hit.index;
    while (start > from && isWordAt(text, start - 1)) start -= 1;
    let end = hit.index + 1;
    while (isWordAt(text, end)) end += 1;
    from = Math.max(end, visit(start, end) ?? 0);
    digit.lastIndex = from;
  }
}

/**
 * Whether a number can end here on its own: not within a longer number (`0.123`, `12-34-…`), nor an amount of money or an
 * international phone number.
 */
export function isWholeNumber(text: string, start: number, end: number): boolean {
  const before = text[start - 1];
  if (before === '+' || before === '$' || before === '€' || before === '£' || before === '#') return false;
  if ((before === '.' || before === '-') && isDigitAt(text, start - 2)) return false;
  const after = text[end];
  return !((after === '.' || after === '-') && isDigitAt(text, end + 1)) && after !== '%';
}
