const MAX_LINE_LENGTH = 500;
const MAX_LINES_PER_MINUTE = 100;
const KEPT_LENGTH = 1_000;
/** Shorter values would be found in ordinary words. */
const MIN_SECRET_LENGTH = 6;

/** What a server writes to its standard error: line by line into our log, bounded, its secrets replaced by their names. */
export class ServerLog {
  readonly #secrets: readonly (readonly [name: string, value: string])[];
  readonly #log: (line: string) => void;
  #unfinished = '';
  #tail = '';
  #minute = 0;
  #lines = 0;

  constructor(secrets: Readonly<Record<string, string>>, log: (line: string) => void) {
    this.#secrets = Object.entries(secrets).filter(([, value]) => value.length >= MIN_SECRET_LENGTH);
    this.#log = log;
  }

  write(text: string): void {
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = this.#clean(lines.pop() ?? '').slice(-MAX_LINE_LENGTH);
    for (const line of lines) this.#add(line);
  }

  /** The end of what was written, for the message of an error. Starts with a space where there is anything. */
  tail(): string {
    const text = (this.#tail + this.#clean(this.#unfinished)).trim();
    return text === '' ? '' : ` It wrote: ${text.slice(-KEPT_LENGTH)}`;
  }

  #add(line: string): void {
    const shown = this.#clean(line).slice(0, MAX_LINE_LENGTH);
    if (shown.trim() === '') return;
    this.#tail = `${this.#tail}${shown}\n`.slice(-KEPT_LENGTH);
    const minute = Math.floor(Date.now() / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#lines = 0;
    }
    this.#lines += 1;
    if (this.#lines <= MAX_LINES_PER_MINUTE) this.#log(shown);
    if (this.#lines === MAX_LINES_PER_MINUTE) this.#log('… further lines of this minute are left out');
  }

  #clean(text: string): string {
    return this.#secrets.reduce((shown, [name, value]) => shown.replaceAll(value, `[${name}]`), text);
  }
}
