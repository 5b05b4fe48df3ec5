import type { JsonValue } from '../../contracts/json.ts';

const TOKEN = /⟦([A-Za-z][A-Za-z0-9._-]{0,99}):(\d{1,9})⟧/g;
const WHOLE_TOKEN = /^⟦([A-Za-z][A-Za-z0-9._-]{0,99}):(\d{1,9})⟧$/;

/** What a token says of itself; null where `text` is no token. */
export function readToken(text: string): { readonly type: string; readonly number: number } | null {
  const [, type, number] = WHOLE_TOKEN.exec(text) ?? [];
  return type === undefined ? null : { type, number: Number(number) };
}

export function hasToken(text: string): boolean {
  return text.includes('⟦') && text.search(TOKEN) !== -1;
}

/** Whatever looks like a token in a JSON value, each once. */
export function tokensIn(value: JsonValue): readonly string[] {
  const found = new Set<string>();
  eachString(value, (text) => {
    if (text.includes('⟦')) for (const [token] of text.matchAll(TOKEN)) found.add(token);
  });
  return [...found];
}

/** The same value with each token as `replace` says, in keys too. Null leaves it. What is put in is not looked at again. */
export function replaceTokens<T extends JsonValue>(value: T, replace: (token: string) => string | null): T {
  return mapStrings(value, (text) => (text.includes('⟦') ? text.replace(TOKEN, (token) => replace(token) ?? token) : text)) as T;
}

/** The same value with every occurrence of a known value put back to its token, the longest value first. */
export function hideValues<T extends JsonValue>(value: T, tokenByValue: ReadonlyMap<string, string>): T {
  const known = [...tokenByValue].filter(([hidden]) => hidden !== '').sort(([left], [right]) => right.length - left.length);
  if (known.length === 0) return value;
  return mapStrings(value, (text) => known.reduce((shown, [hidden, token]) => shown.replaceAll(hidden, token), text)) as T;
}

function eachString(value: JsonValue, look: (text: string) => void): void {
  if (typeof value === 'string') look(value);
  else if (isList(value)) for (const item of value) eachString(item, look);
  else if (typeof value === 'object' && value !== null)
    for (const [key, inner] of Object.entries(value)) {
      look(key);
      eachString(inner, look);
    }
}

export function mapStrings(value: JsonValue, change: (text: string) => string): JsonValue {
  if (typeof value === 'string') return change(value);
  if (isList(value)) return value.map((item) => mapStrings(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [change(key), mapStrings(inner, change)]));
}

/** `Array.isArray` does not narrow a readonly list. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
