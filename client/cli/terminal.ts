import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';

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
  /** Replaces what the last `redraw` wrote. Only on a terminal. */
  redraw(lines: readonly string[]): void;
  ask(question: string): Promise<string>;
  readInput(): Promise<string>;
  /** The lines of standard input, one by one. */
  inputLines(): AsyncIterable<string>;
  style(name: 'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'cyan', text: string): string;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  // A reader that stops early ("| head") is no error of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2));
  let drawnLines = 0;
  return {
    print: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    isInteractive: Boolean(stdin.isTTY && stdout.isTTY),
    isTerminal: Boolean(stdout.isTTY),
    get columns() {
      return stdout.columns ?? 100;
    },
    redraw(lines) {
      const up = drawnLines > 0 ? `\u001b[${drawnLines}A` : '';
      stdout.write(`${up}\u001b[0J${lines.join('\n')}\n`);
      drawnLines = lines.length;
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
    inputLines: () => createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY }),
    style: (name, text) => (stdout.isTTY ? styleText(name, text, { stream: stdout }) : text),
  };
}
