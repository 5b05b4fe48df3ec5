import type { JsonValue } from '../../contracts/json.ts';
import type { JsonFinding, RedactedJson, RedactedText } from './port.ts';
import type { Surroundings } from './redact-block.ts';

/** Deeper than any document that a tool or a model means. What is nested deeper blocks, and does not go on. */
const MAX_DEPTH = 500;
const TOO_DEEP = 'tooDeep';
/** A shorter number is an amount or a count; the shortest card, phone and national id numbers have as many digits. */
const SHORTEST_TELLING_NUMBER = 7;
/** A key that is longer says nothing about its value, and would be looked at again with every item of a list. */
const LONGEST_LABEL = 100;
const ALONE: Surroundings = { before: '', after: '' };

type RedactString = (text: string, around: Surroundings) => RedactedText;

interface Walk {
  readonly redact: RedactString;
  readonly findings: JsonFinding[];
  readonly blocked: Set<string>;
  /** Keys in which nothing was found, since the last finding: lists of objects have the same ones over and over. */
  readonly plainKeys: Set<string>;
}

/** Redacts every string, key and long whole number of a JSON value; what has no finding stays as it is. */
export function redactJson(value: JsonValue, redact: RedactString): RedactedJson {
  const walk: Walk = { redact, findings: [], blocked: new Set(), plainKeys: new Set() };
  return { value: redactValue(value, '', null, 0, walk), findings: walk.findings, blocked: [...walk.blocked] };
}

function redactValue(value: JsonValue, pointer: string, key: string | null, depth: number, walk: Walk): JsonValue {
  if (typeof value === 'string') return redactString(value, pointer, key, walk);
  if (typeof value === 'number') return redactNumber(value, pointer, key, walk);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) {
    walk.blocked.add(TOO_DEEP);
    return null;
  }
  if (isList(value)) return value.map((item, index) => redactValue(item, `${pointer}/${index}`, key, depth + 1, walk));
  return redactObject(value, pointer, depth, walk);
}

function redactObject(object: { readonly [key: string]: JsonValue }, pointer: string, depth: number, walk: Walk): JsonValue {
  const entries = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(object)) {
    const shown = walk.plainKeys.has(key) ? null : walk.redact(key, ALONE);
    const name = freeName(shown?.text ?? key, entries);
    const place = `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (shown?.text === key) walk.plainKeys.add(key);
    if (shown !== null) note(shown, place, true, walk);
    entries.set(name, redactValue(value, place, key, depth + 1, walk));
  }
  return Object.fromEntries(entries);
}

function redactString(text: string, pointer: string, key: string | null, walk: Walk): string {
  const redacted = walk.redact(text, key === null || key.length > LONGEST_LABEL ? ALONE : { before: `${JSON.stringify(key)}: "`, after: '"' });
  note(redacted, pointer, false, walk);
  return redacted.text;
}

/** A number that is somebody's becomes the string that stands for it. */
function redactNumber(value: number, pointer: string, key: string | null, walk: Walk): JsonValue {
  const text = String(value);
  if (!Number.isSafeInteger(value) || text.length < SHORTEST_TELLING_NUMBER) return value;
  const shown = redactString(text, pointer, key, walk);
  return shown === text ? value : shown;
}

function note({ findings, blocked }: RedactedText, pointer: string, inKey: boolean, walk: Walk): void {
  for (const finding of findings) walk.findings.push({ ...finding, pointer, inKey });
  for (const type of blocked) walk.blocked.add(type);
  if (findings.length > 0) walk.plainKeys.clear();
}

/** Two keys may be masked alike; both stay. */
function freeName(name: string, taken: ReadonlyMap<string, JsonValue>): string {
  let free = name;
  for (let count = 2; taken.has(free); count++) free = `${name} ${count}`;
  return free;
}

/** `Array.isArray` does not narrow a readonly list. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
