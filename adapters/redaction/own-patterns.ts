import type { OwnPattern, RedactionSettings } from '../../contracts/redaction.ts';
import type { Detector, Finding } from '../../domain/redaction/port.ts';

/** A pattern looks at a line in pieces of at most this; a value is no longer. */
const WINDOW = 1_000;
/** Pieces overlap by this, so that a value on an edge is whole in one of them. */
const OVERLAP = 250;
/** A linear pattern needs a few hundredths of a millisecond for a window. */
const SLOWEST_WINDOW_MS = 25;

export interface PatternProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type CompiledPattern = { readonly type: 'detector'; readonly detector: Detector } | { readonly type: 'refused'; readonly reason: string };

/**
 * Makes a team's pattern a detector, or says why it may not run: it can't be read, matches nothing at all (the empty text), or takes
 * far too long on a text made to mislead it.
 */
export function compileOwnPattern({ name, pattern, ignoreCase = false }: OwnPattern): CompiledPattern {
  let expression: RegExp;
  try {
    expression = new RegExp(pattern, ignoreCase ? 'dgiu' : 'dgu');
  } catch (error) {
    return { type: 'refused', reason: `${(error as Error).message}. It is a JavaScript regular expression with the flag u.` };
  }
  const reason = whyUnsafe(pattern, expression);
  return reason === null ? { type: 'detector', detector: detectorOf(`own.${name}`, expression) } : { type: 'refused', reason };
}

/** Every pattern of the settings that may not run, with its place and the reason. */
export function patternProblems(settings: RedactionSettings): PatternProblem[] {
  const tenants = Object.entries(settings.tenants ?? {}).flatMap(([tenant, { patterns }]) => problemsOf(patterns, ['tenants', tenant, 'patterns']));
  return [...problemsOf(settings.patterns, ['patterns']), ...tenants];
}

function problemsOf(patterns: readonly OwnPattern[] = [], path: readonly (string | number)[]): PatternProblem[] {
  return patterns.flatMap((pattern, index) => {
    const compiled = compileOwnPattern(pattern);
    return compiled.type === 'refused' ? [{ path: [...path, index, 'pattern'], message: `the pattern "${pattern.name}" may not run. ${compiled.reason}` }] : [];
  });
}

function detectorOf(type: string, expression: RegExp): Detector {
  return {
    name: type,
    types: [type],
    find(text) {
      const findings: Finding[] = [];
      for (const [start, end] of windowsOf(text))
        for (const match of text.slice(start, end).matchAll(expression)) {
          const [from, to] = match.indices?.[1] ?? match.indices?.[0] ?? [0, 0];
          if (from < to) findings.push({ type, start: start + from, end: start + to });
        }
      return findings;
    },
  };
}

/** Lines, and overlapping pieces of very long ones: what a pattern that is not linear costs is bounded by the window. */
function* windowsOf(text: string): Generator<readonly [start: number, end: number]> {
  let line = 0;
  while (line < text.length) {
    const newline = text.indexOf('\n', line);
    const end = newline === -1 ? text.length : newline;
    for (let start = line; start < end; start += WINDOW - OVERLAP) {
      yield [start, Math.min(start + WINDOW, end)];
      if (start + WINDOW >= end) break;
    }
    line = end + 1;
  }
}

function whyUnsafe(pattern: string, expression: RegExp): string | null {
  if (/\\[1-9]|\\k</.test(pattern)) return 'It refers back to a group (\\1). Write out what the group matches.';
  if (repeatsARepetition(pattern)) return 'It repeats a group that repeats something itself, as (a+)+ does. Write the repetition once.';
  if (new RegExp(expression.source, 'u').exec('')?.[0] === '') return 'It matches the empty text. Say what must be there.';
  const slow = probesOf(pattern).find((probe) => isSlowOn(expression, probe));
  return slow === undefined
    ? null
    : `It takes too long on a text such as ${JSON.stringify(`${slow.slice(0, 12)}…`)}. Bound its repetitions, as in {1,40}, and let no two of them match the same characters side by side.`;
}

/** Whether an unbounded or long repetition stands in a group that is repeated more than once. */
function repeatsARepetition(pattern: string): boolean {
  const groups: boolean[] = [false];
  const withoutClasses = pattern.replace(/\\./g, 'x').replace(/\[\^?\]?[^\]]*\]/g, 'x');
  for (let index = 0; index < withoutClasses.length; index++) {
    const sign = withoutClasses[index];
    if (sign === '(') groups.push(false);
    const isGroupEnd = sign === ')';
    const inner = isGroupEnd ? (groups.pop() ?? false) : false;
    const repeat = /^(?:[*+]|\{(\d+)(,(\d*))?\})/.exec(withoutClasses.slice(index + 1));
    const isOpenEnded = repeat !== null && (repeat[1] === undefined || repeat[3] === '' || Number(repeat[3] ?? repeat[1]) > 1);
    if (isGroupEnd && inner && isOpenEnded) return true;
    const isVariable = repeat !== null && (repeat[1] === undefined || repeat[2] !== undefined);
    if (inner || (isOpenEnded && isVariable)) groups[groups.length - 1] = true;
  }
  return false;
}

/** Runs of characters that the pattern speaks of, which then don't go on as it wants. */
function probesOf(pattern: string): string[] {
  const letters = [...new Set(pattern.replace(/\\[a-zA-Z]/g, '').match(/[^\\^$.*+?()[\]{}|]/g) ?? [])].slice(0, 20);
  const pairs = letters.slice(0, 6).flatMap((left) => letters.slice(0, 6).map((right) => left + right));
  const runs = ['a', '0', ' ', 'a ', 'a0', 'a.', '-', ...letters, ...pairs, letters.join('')].filter((run) => run !== '');
  return runs.flatMap((run) => [run, `${run}\u0000`]).map((run) => `${run.repeat(WINDOW).slice(0, WINDOW - 1)}\u0001`);
}

/**
 * In lengths that grow by a seventh at most: whatever a pattern's growth is, the step from just fast enough takes some ten times
 * as long, never for ever. Slow twice, because machines have hiccups.
 */
function isSlowOn(expression: RegExp, probe: string): boolean {
  for (let length = 10; length <= WINDOW; length += Math.max(1, Math.floor(length / 7))) {
    const text = probe.slice(0, length - 1) + probe.slice(-1);
    if (timeOf(expression, text) > SLOWEST_WINDOW_MS && timeOf(expression, text) > SLOWEST_WINDOW_MS) return true;
  }
  return false;
}

/** Milliseconds of this thread's own processor time: what else the machine does must not make a pattern slow. */
function timeOf(expression: RegExp, text: string): number {
  const before = process.threadCpuUsage();
  for (const _ of text.matchAll(expression));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}
