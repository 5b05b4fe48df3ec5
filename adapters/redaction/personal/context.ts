const BEFORE = 48;
const AFTER = 24;

/** Words that say what a number near them is. Matched in lower case; a short one must stand alone (`sin`, not `business`). */
export function contextWords(...words: readonly string[]): RegExp {
  const alternatives = words.map((word) => (word.length > 4 ? word : `(?<!\\p{L})${word}(?!\\p{L})`).replaceAll(' ', '[\\s_-]?'));
  return new RegExp(alternatives.join('|'), 'u');
}

/** Whether one of the words is shortly before the range, or right after it in the same line. */
export function hasContext(text: string, start: number, end: number, words: RegExp): boolean {
  if (words.test(text.slice(Math.max(0, start - BEFORE), start).toLowerCase())) return true;
  const after = text.slice(end, end + AFTER);
  const lineEnd = after.indexOf('\n');
  return words.test((lineEnd === -1 ? after : after.slice(0, lineEnd)).toLowerCase());
}

/** As `hasContext`, before the range only. */
export function hasContextBefore(text: string, start: number, words: RegExp, reach = BEFORE): boolean {
  return words.test(text.slice(Math.max(0, start - reach), start).toLowerCase());
}
