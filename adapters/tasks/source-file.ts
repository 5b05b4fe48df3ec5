import { readFile, stat } from 'node:fs/promises';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import type { Mistake } from './mistakes.ts';

/** Largest file of a task, in bytes. */
export const MAX_FILE_BYTES = 16_777_216;

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A YAML or JSON file that knows on which line each of its values stands. */
export interface SourceFile {
  readonly place: string;
  readonly value: unknown;
  /** Where the value at `path` stands, or its key where `key` is given; the nearest parent where it has none. */
  locate(path: readonly PropertyKey[], key?: string): Position;
}

export type ReadText = { readonly type: 'text'; readonly text: string } | { readonly type: 'unreadable'; readonly reason: string };

/** Reads a text file within the size limit. Never throws. */
export async function readText(path: string): Promise<ReadText> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) return { type: 'unreadable', reason: `it is ${size} bytes long, and at most ${MAX_FILE_BYTES} are read` };
    return { type: 'text', text: await readFile(path, 'utf8') };
  } catch (error) {
    return { type: 'unreadable', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'reading it is not permitted';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return code ?? String(error);
  }
}

/** Parses YAML. Where its syntax is broken, only that is reported: nothing else could be trusted. */
export function parseYaml(place: string, text: string): SourceFile | { readonly mistakes: readonly Mistake[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  if (document.errors.length > 0) {
    const mistakes = document.errors.map((error) => {
      const { line, col } = lineCounter.linePos(error.pos[0]);
      return { place, line, column: col, message: `this is not valid YAML: ${error.message}.` };
    });
    return { mistakes };
  }
  return sourceFile(place, document.toJS(), document.contents, lineCounter);
}

/** Parses JSON. The YAML parser, which reads JSON too, only finds the lines. */
export function parseJson(place: string, text: string): SourceFile | { readonly mistakes: readonly Mistake[] } {
  try {
    const value: unknown = JSON.parse(text);
    const lineCounter = new LineCounter();
    return sourceFile(place, value, parseDocument(text, { lineCounter, prettyErrors: false }).contents, lineCounter);
  } catch (error) {
    return { mistakes: [{ place, ...jsonErrorPosition(text, error), message: `this is not valid JSON: ${jsonErrorReason(error)}.` }] };
  }
}

/** What V8 says of a JSON syntax error, without the text that it repeats. */
export function jsonErrorReason(error: unknown): string {
  return (error as Error).message.replace(/, ("|\.\.\.).*is not valid JSON$/s, '').replace(/ in JSON at position .*$/s, '');
}

/** Where a syntax error of `JSON.parse` lies, as far as V8's message tells: it leaves the position out of short texts. */
export function jsonErrorPosition(text: string, error: unknown): Position {
  const { message } = error as Error;
  const match = /at position (\d+)/.exec(message);
  const offset = match ? Number(match[1]) : /end of JSON/.test(message) ? text.length : 0;
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

function sourceFile(place: string, value: unknown, root: Node | null, lines: LineCounter): SourceFile {
  return {
    place,
    value,
    locate(path, key) {
      const offset = offsetOf(root, path, key);
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
  };
}

function offsetOf(root: Node | null, path: readonly PropertyKey[], key?: string): number {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? 0;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      offset = startOf(pair?.key) ?? offset;
      node = pair?.value;
    } else {
      node = (node as { get?: (index: unknown, keepScalar: boolean) => unknown } | undefined)?.get?.(step, true);
    }
    offset = startOf(node) ?? offset;
    if (node === undefined || node === null) break;
  }
  if (key === undefined || !isMap(node)) return offset;
  const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
  return startOf(pair?.key) ?? offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
