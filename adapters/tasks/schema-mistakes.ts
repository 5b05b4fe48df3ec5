import type { z } from 'zod';
import { nearest } from './suggestion.ts';

/**
 * What each field must be, by path: dots between keys, `*` for any index or name. Completes the sentence "expected …" and is the
 * list of keys that a misspelt one is compared with.
 */
export type FieldGuide = Readonly<Record<string, string>>;

export interface SchemaMistake {
  readonly path: readonly PropertyKey[];
  /** Set where the key itself is the mistake, not its value. */
  readonly key?: string;
  readonly message: string;
}

const MAX_SHOWN = 60;

/** Turns what zod found into sentences that say what was seen and what to write instead. */
export function schemaMistakes(error: z.ZodError, value: unknown, guide: FieldGuide): SchemaMistake[] {
  const misspelt = misspeltFields(error, guide);
  return error.issues.flatMap((issue): SchemaMistake[] => {
    if (misspelt.has(formatPath(issue.path)) && valueAt(value, issue.path) === undefined) return [];
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key, guide));
    const expected = expectedAt(issue.path, guide);
    // A rule that the guide can't state writes its own sentence.
    if (issue.code === 'custom' && issue.message.endsWith('.')) return [{ path: issue.path, message: `${subjectOf(issue.path)}${issue.message}` }];
    if (issue.code === 'invalid_key') return [{ path: issue.path, message: `${subjectOf(issue.path)}the name ${issue.issues[0]?.message ?? 'is none'}.` }];
    const seen = valueAt(value, issue.path);
    if (seen === undefined) return [{ path: issue.path, message: `"${String(issue.path.at(-1) ?? '')}" is missing. Add it: ${expected ?? issue.message}.` }];
    return [{ path: issue.path, message: `${subjectOf(issue.path)}expected ${expected ?? issue.message}, saw ${show(seen)}.` }];
  });
}

/** Paths that an unknown key was probably meant for: that they are missing is the same mistake. */
function misspeltFields(error: z.ZodError, guide: FieldGuide): ReadonlySet<string> {
  const unknown = error.issues.filter((issue) => issue.code === 'unrecognized_keys');
  return new Set(
    unknown.flatMap(({ path, keys }) =>
      keys.flatMap((key) => {
        const guess = nearest(key, knownKeys(path, guide));
        return guess ? [formatPath([...path, guess])] : [];
      }),
    ),
  );
}

function subjectOf(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : `${formatPath(path)}: `;
}

function unknownKey(path: readonly PropertyKey[], key: string, guide: FieldGuide): SchemaMistake {
  const known = knownKeys(path, guide);
  const guess = nearest(key, known);
  const fix = guess ? `Did you mean "${guess}"?` : `Known here: ${known.join(', ') || 'nothing'}.`;
  return { path, key, message: `unknown key "${key}"${path.length > 0 ? ` in ${formatPath(path)}` : ''}. ${fix}` };
}

function knownKeys(path: readonly PropertyKey[], guide: FieldGuide): string[] {
  const names = Object.keys(guide)
    .map((field) => field.split('.'))
    .filter((field) => field.length > path.length && path.every((key, index) => matches(field[index], key)))
    .map((field) => field[path.length] ?? '*');
  return [...new Set(names)].filter((name) => name !== '*');
}

function expectedAt(path: readonly PropertyKey[], guide: FieldGuide): string | undefined {
  const fits = (field: readonly string[]) => field.length === path.length && path.every((key, index) => matches(field[index], key));
  return Object.entries(guide).find(([field]) => fits(field.split('.')))?.[1];
}

function matches(pattern: string | undefined, key: PropertyKey): boolean {
  return pattern === '*' || pattern === String(key);
}

/** `tasks[0].gates.irreversible` */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined), value);
}

/** A value as JSON, cut short. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text;
}
