const ELLIPSIS = '…';

/** Rows as aligned columns, two spaces apart. The last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, index) => Math.max(0, ...rows.map((row) => row[index]?.length ?? 0)));
  return rows.map((row) => row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  '));
}

/** Control characters, and those that turn the direction of text: with them a text draws over what a terminal shows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** A text that somebody else wrote, a model say, as it may go to a terminal. Line breaks stay. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** At most `length` characters on one line, the cut shown. */
export function shorten(raw: string, length: number): string {
  const text = visible(raw).replaceAll('\n', ' ');
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}${ELLIPSIS}`;
}

/** A value as JSON on one line, at most `length` characters. */
export function inline(value: unknown, length: number): string {
  return shorten(JSON.stringify(value) ?? '', length);
}

/** `[██████░░░░]`: what is settled, what is held, what is free. */
export function bar(settled: number, held: number, limit: number, width: number): string {
  if (limit <= 0) return `[${'░'.repeat(width)}]`;
  const full = Math.min(width, Math.round((settled / limit) * width));
  const pending = Math.min(width - full, Math.ceil((held / limit) * width));
  return `[${'█'.repeat(full)}${'▒'.repeat(pending)}${'░'.repeat(width - full - pending)}]`;
}
