// How values look to a person. Pure: no DOM, no clock. Whatever is shown differently from how it was sent says so.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A value as a person reads it; `raw` is what was sent, where that reads differently. */
export interface ShownValue {
  readonly kind: 'money' | 'date' | 'duration' | 'text' | 'number' | 'flag' | 'nothing' | 'list' | 'object';
  readonly text: string;
  readonly raw?: string;
  /** The unit that `raw` counts, where the name of the argument says it: `cents`. */
  readonly unit?: string;
}

/** A piece of a text; `mark` names a character that would not be seen, or that would turn the reading order. */
export interface TextPiece {
  readonly text: string;
  readonly mark?: string;
}

/** Controls, formats, what is ignored, what is no character: all that reorders, joins or hides. Line breaks and tabs are harmless. */
const UNSEEN = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]--[\n\t]]/v;

/** Splits a text so that nothing in it hides: each unseen character becomes a mark such as `U+202E`. */
export function piecesOf(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let plain = '';
  for (const character of text) {
    if (!UNSEEN.test(character)) {
      plain += character;
      continue;
    }
    if (plain) pieces.push({ text: plain });
    plain = '';
    pieces.push({ text: character, mark: `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}` });
  }
  if (plain) pieces.push({ text: plain });
  return pieces;
}

/** The text with its marks in words, for places that take no elements. */
export function plainText(text: string): string {
  return piecesOf(text)
    .map(({ text: piece, mark }) => (mark ? `[${mark}]` : piece))
    .join('');
}

/** `orderId` and `order_id` as `order id`. */
export function labelOf(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[_-]+/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .toLowerCase();
}

const MONEY = /(amount|price|total|cost|fee|sum|refund|payment|balance|budget|limit|charge|credit)/i;
const CURRENCY_SUFFIX = /(?:^|[a-z0-9_])(USD|EUR|GBP|CHF|JPY|SEK|NOK|DKK|PLN|CZK|CAD|AUD|NZD|INR|CNY)$/i;
const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const DECIMAL = /^-?\d{1,15}(\.\d{1,12})?$/;
const LOCALE = 'en';

/** One argument, read by its name and by what stands beside it (a `currency`, say). */
export function showValue(key: string, value: Json, siblings: { readonly [key: string]: Json } = {}): ShownValue {
  if (value === null) return { kind: 'nothing', text: 'nothing', raw: 'null' };
  if (typeof value === 'boolean') return { kind: 'flag', text: value ? 'yes' : 'no', raw: String(value) };
  if (Array.isArray(value)) return { kind: 'list', text: value.length === 0 ? 'an empty list' : `${value.length} ${value.length === 1 ? 'entry' : 'entries'}` };
  if (typeof value === 'object') {
    const { length } = Object.keys(value);
    return { kind: 'object', text: length === 0 ? 'an empty object' : `${length} ${length === 1 ? 'field' : 'fields'}` };
  }
  if (value === '') return { kind: 'nothing', text: 'empty text', raw: '""' };
  return moneyOf(key, value as string | number, siblings) ?? dateOf(key, value as string | number) ?? plainValue(value as string | number);
}

function plainValue(value: string | number): ShownValue {
  return typeof value === 'number' ? { kind: 'number', text: String(value) } : { kind: 'text', text: value };
}

function moneyOf(key: string, value: string | number, siblings: { readonly [key: string]: Json }): ShownValue | null {
  if (typeof value === 'string' && !DECIMAL.test(value)) return null;
  const amount = Number(value);
  const raw = String(value);
  if (/NanoUsd$|_nano_usd$/i.test(key)) return { kind: 'money', text: moneyText(amount / 1e9, 'USD'), raw, unit: 'nano usd' };
  const unit = /(cents|minor_?units?)$/i.exec(key)?.[0];
  const currency = currencyOf(key, siblings);
  if (unit) {
    const digits = currency ? minorDigits(currency) : 2;
    const inMajor = amount / 10 ** digits;
    return { kind: 'money', text: currency ? moneyText(inMajor, currency) : inMajor.toFixed(digits), raw, unit: labelOf(unit) };
  }
  if (!currency || !(MONEY.test(key) || CURRENCY_SUFFIX.test(key))) return null;
  return { kind: 'money', text: moneyText(amount, currency), raw };
}

function currencyOf(key: string, siblings: { readonly [key: string]: Json }): string | null {
  const named = CURRENCY_SUFFIX.exec(key.replace(/_?(cents|minor_?units?)$/i, ''))?.[1];
  if (named) return named.toUpperCase();
  const beside = siblings.currency ?? siblings.currencyCode ?? siblings.currency_code;
  return typeof beside === 'string' && /^[A-Za-z]{3}$/.test(beside) ? beside.toUpperCase() : null;
}

function minorDigits(currency: string): number {
  return new Intl.NumberFormat(LOCALE, { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

/** `12.5` USD as `$12.50`; digits beyond the usual ones are kept, never rounded away. */
export function moneyText(amount: number, currency: string): string {
  return new Intl.NumberFormat(LOCALE, { style: 'currency', currency, maximumFractionDigits: Math.max(minorDigits(currency), 9) }).format(amount);
}

/** USD as the API sends it, as a person reads it: cents, or as many places as a small amount needs. */
export function usdText(decimal: string | number): string {
  const amount = Number(decimal);
  const digits = amount === 0 || Math.abs(amount) >= 1 ? 2 : Math.abs(amount) >= 0.01 ? 4 : 6;
  return new Intl.NumberFormat(LOCALE, { style: 'currency', currency: 'USD', minimumFractionDigits: 2, maximumFractionDigits: digits }).format(amount);
}

function dateOf(key: string, value: string | number): ShownValue | null {
  if (typeof value === 'string') {
    if (DATE.test(value) && !Number.isNaN(Date.parse(value))) return { kind: 'date', text: dateText(Date.parse(value)), raw: value };
    if (DAY.test(value) && !Number.isNaN(Date.parse(value))) return { kind: 'date', text: dayText(value), raw: value };
    return null;
  }
  if (/(AtMs|_at_ms)$/.test(key) && Number.isSafeInteger(value)) return { kind: 'date', text: dateText(value), raw: String(value) };
  if (/(Ms|_ms)$/.test(key) && Number.isSafeInteger(value)) return { kind: 'duration', text: durationText(value), raw: String(value) };
  return null;
}

/** A moment in the reader's own time zone, which it names. */
export function dateText(atMs: number): string {
  const format = { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'short' } as const;
  return Number.isFinite(atMs) && Math.abs(atMs) <= 8.64e15 ? new Intl.DateTimeFormat('en-GB', format).format(atMs) : String(atMs);
}

function dayText(day: string): string {
  const format = { weekday: 'short', year: 'numeric', month: 'short', day: 'numeric', timeZone: 'UTC' } as const;
  return new Intl.DateTimeFormat('en-GB', format).format(Date.parse(day));
}

/** `350 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(Math.floor(ms / 100) / 10).toString()} s`;
  return untilText(ms);
}

/** What is left of a time, in the two units that matter. */
export function untilText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [d, h, min, s] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3_600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  if (d > 0) return `${d} d ${h} h`;
  if (h > 0) return `${h} h ${min} min`;
  if (min > 0) return `${min} min ${s} s`;
  return `${s} s`;
}

/** The first plain values of the arguments, for one line of a list. */
export function summaryOf(value: Json): string {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return short(JSON.stringify(value));
  const fields = value as { readonly [key: string]: Json };
  const shown = Object.entries(fields)
    .filter(([key, field]) => !/^currency(_?code)?$/i.test(key) && field !== null && typeof field !== 'object' && field !== '')
    .slice(0, 4)
    .map(([key, field]) => (typeof field === 'boolean' ? `${labelOf(key)}: ${field ? 'yes' : 'no'}` : showValue(key, field, fields).text));
  return short(plainText(shown.join(' · ')));
}

const SHORT = 120;

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > SHORT ? `${line.slice(0, SHORT)}…` : line;
}

/** JSON with the fields in the order in which they came, and what it would hide spelt as escapes. */
export function rawJson(value: Json): string {
  return JSON.stringify(value, null, 2).replaceAll(new RegExp(UNSEEN, 'gv'), (character) =>
    [...Array(character.length).keys()].map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''),
  );
}

/** Paths of the plain values that are not the same in both, such as `amount` or `to.iban`. */
export function changedPaths(before: Json, after: Json, path = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const isBranch = (value: Json): value is { readonly [key: string]: Json } => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isBranch(before) || !isBranch(after)) return [path || 'arguments'];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => {
    const at = path ? `${path}.${key}` : key;
    if (!(key in before) || !(key in after)) return [at];
    return changedPaths(before[key] ?? null, after[key] ?? null, at);
  });
}

/** A status in words. */
export function statusText(status: string): string {
  return STATUS[status] ?? labelOf(status);
}

const STATUS: Readonly<Record<string, string>> = {
  open: 'waits',
  consumed: 'approved, and used',
  inFlight: 'in flight',
  inDoubt: 'in doubt',
  awaitingApproval: 'waits for approval',
  budgetExhausted: 'budget exhausted',
  notRun: 'not run',
  ok: 'answered',
};
