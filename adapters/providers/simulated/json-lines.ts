import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Opens an append-only file of JSON lines and returns what is in it. A last line that a killed process left half-written
 * is skipped and closed off, so that the next one starts on a line of its own.
 */
export function openJsonLines(path: string): unknown[] {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) return [];
  const content = readFileSync(path, 'utf8');
  if (content !== '' && !content.endsWith('\n')) appendFileSync(path, '\n');
  return content.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });
}

/** Appends one line. It is with the operating system when this returns, so it survives the death of the process. */
export function appendJsonLine(path: string, value: unknown): void {
  appendFileSync(path, `${JSON.stringify(value)}\n`);
}
