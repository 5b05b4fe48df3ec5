import { createInterface } from 'node:readline/promises';
import { stripVTControlCharacters, styleText } from 'node:util';

/** What a command may do with the person's terminal, or with the pipes that stand in for one. */
export interface Terminal {
  /** A line on standard output: results, and nothing else. */
  print(line: string): void;
  /** A line on standard error: progress, hints, errors. */
  note(line: string): void;
  /** Whether a person can be asked: standard input and output are both a terminal. */
  readonly isInteractive: boolean;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Replaces what the last `redraw` wrote, cut to what the screen holds. Only on a terminal. */
  redraw(lines: readonly string[]): void;
  ask(question: string): Promise<string>;
  readInput(): Promise<string>;
  /** The lines of standard input, one by one. */
  inputLines(): AsyncIterable<string>;
  style(name: 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan', text: string): string;
}

/** Lines that stay in view when the rest is cut: what runs, and its budget. */
const HEAD_LINES = 3;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  // A reader that stops early ("| head") is no error of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));
  let drawnRows = 0;
  return {
    print: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    isInteractive: Boolean(stdin.isTTY && stdout.isTTY),
    isTerminal: Boolean(stdout.isTTY),
    get columns() {
      return stdout.columns ?? 100;
    },
    redraw(lines) {
      const width = stdout.columns ?? 100;
      const fitting = cutToScreen(
        lines.flatMap((line) => line.split('\n')),
        (stdout.rows ?? 24) - 1,
        width,
      );
      const up = drawnRows > 0 ? `\u001b[${drawnRows}A` : '';
      stdout.write(`${up}\u001b[0J${fitting.map((line) => `${line}\n`).join('')}`);
      drawnRows = rowsOf(fitting, width);
    },
    async ask(question) {
      const reader = createInterface({ input: stdin, output: stdout });
      try {
        return (await reader.question(question)).trim();
      } finally {
        reader.close();
      }
    },
    async readInput() {
      let text = '';
      stdin.setEncoding('utf8');
      for await (const chunk of stdin) text += String(chunk);
      return text;
    },
    inputLines: () => linesOf(stdin.setEncoding('utf8')),
    style: (name, text) => (stdout.isTTY ? styleText(name, text, { stream: stdout }) : text),
  };
}

/** At line feeds alone: `readline` also breaks at U+2028 and U+2029, which stand as they are in JSON. */
async function* linesOf(chunks: AsyncIterable<unknown>): AsyncGenerator<string> {
  let begun: string[] = [];
  for await (const chunk of chunks) {
    const [first = '', ...rest] = String(chunk).split('\n');
    begun.push(first);
    for (const next of rest) {
      yield withoutReturn(begun.join(''));
      begun = [next];
    }
  }
  if (begun.some((part) => part !== '')) yield withoutReturn(begun.join(''));
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

/** The head and the end of what is too long for the screen: the cursor can't go back above its top. */
function cutToScreen(lines: readonly string[], rows: number, width: number): readonly string[] {
  if (rowsOf(lines, width) <= rows) return lines;
  const head = lines.slice(0, HEAD_LINES);
  let tail = lines.slice(HEAD_LINES);
  while (tail.length > 0 && rowsOf([...head, '…', ...tail], width) > rows) tail = tail.slice(1);
  return [...head, '…', ...tail];
}

/** Rows that lines take where the terminal breaks them; we never do, so that a command can be copied whole. */
function rowsOf(lines: readonly string[], width: number): number {
  return lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(stripVTControlCharacters(line).length / width)), 0);
}
