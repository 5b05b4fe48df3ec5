import { TollgateError } from '../../contracts/failures.ts';

/** Mistakes of one file beyond this number are counted, not printed. */
const MAX_LISTED = 50;

/** One thing wrong with a task or a project, where it stands, and how to put it right. */
export interface Mistake {
  /** The file, as the person named it; or a place inside a configuration, such as `tasks[0].budgetUsd`. */
  readonly place: string;
  /** Counted from 1; absent where the place has no lines. */
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

/** `file:line:column: what is wrong`, the form that editors and terminals turn into a link. */
export function formatMistake(mistake: Mistake): string {
  const position = mistake.line === undefined ? '' : `:${mistake.line}:${mistake.column ?? 1}`;
  return `${mistake.place}${position}: ${mistake.message}`;
}

/** One error that lists every mistake at once, in the order of place and line. */
export function mistakesError(subject: string, mistakes: readonly Mistake[]): TollgateError {
  const places = [...new Set(mistakes.map((mistake) => mistake.place))];
  const sorted = places.flatMap((place) =>
    mistakes.filter((mistake) => mistake.place === place).sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)),
  );
  const count = sorted.length === 1 ? 'a mistake' : `${sorted.length} mistakes`;
  const hidden = sorted.length - MAX_LISTED;
  const lines = sorted.slice(0, MAX_LISTED).map((mistake) => `  ${formatMistake(mistake)}`);
  if (hidden > 0) lines.push(`  … and ${hidden} more`);
  return new TollgateError('invalidInput', `${subject} has ${count}:\n${lines.join('\n')}`);
}
