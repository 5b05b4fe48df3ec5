const NEWLINE = 10;
const KEY_MARKER = /-----(BEGIN|END)[A-Z0-9 ]{0,40}PRIVATE KEY/g;
const LONGEST_KEY_MARKER = 64;

/** From these lengths on a block ends at the next line, space, sign, character. Twice the last where a private key is open. */
const AT_LINE = 4_096;
const AT_SPACE = 8_192;
const AT_SIGN = 12_288;
const ANYWHERE = 16_384;

/**
 * Cuts a text into blocks that are redacted one by one: paragraphs, and pieces of very long ones. Where a block ends is decided by
 * the text before that place alone, so a text that comes in chunks falls into the same blocks as the whole; and no detector ever
 * sees more than `2 * ANYWHERE` code units, so that all together are linear in the text. A private key with its blank line stays in
 * one block, and a value stays with the label whose colon ends the paragraph before it.
 */
export class BlockCutter {
  #length = 0;
  #lineIsBlank = true;
  #isBlank = true;
  #lastSign = 0;
  #keyIsOpen = false;
  #searchedForKeys = 0;

  /** The end of the block that begins at `start`, having looked at everything before `from`; null if `text` does not reach that far. */
  nextEnd(text: string, start: number, from: number): number | null {
    for (let index = from; index < text.length; index++) {
      const code = text.charCodeAt(index);
      this.#length++;
      if (this.#mayEndAfter(code) && this.#endsBlock(text, start, index + 1)) return index + 1;
    }
    return null;
  }

  #mayEndAfter(code: number): boolean {
    if (code === NEWLINE) {
      const isParagraph = this.#lineIsBlank && !this.#isBlank && !isLabelEnd(this.#lastSign);
      this.#lineIsBlank = true;
      return isParagraph || this.#length >= AT_LINE;
    }
    if (isSpace(code)) return this.#length >= AT_SPACE;
    this.#lineIsBlank = false;
    this.#isBlank = false;
    this.#lastSign = code;
    if (this.#length < AT_SIGN) return false;
    return this.#length >= ANYWHERE ? !isHighSurrogate(code) : isSeparator(code);
  }

  #endsBlock(text: string, start: number, end: number): boolean {
    const searched = text.slice(Math.max(start, start + this.#searchedForKeys - LONGEST_KEY_MARKER), end);
    for (const [, edge] of searched.matchAll(KEY_MARKER)) this.#keyIsOpen = edge === 'BEGIN';
    this.#searchedForKeys = end - start;
    if (this.#keyIsOpen && this.#length < 2 * ANYWHERE) return false;
    this.#length = 0;
    this.#searchedForKeys = 0;
    this.#isBlank = true;
    this.#keyIsOpen = false;
    return true;
  }
}

/** The blocks of a whole text; put together they are the text. */
export function* blocksOf(text: string): Generator<string> {
  const cutter = new BlockCutter();
  let start = 0;
  while (start < text.length) {
    const end = cutter.nextEnd(text, start, start) ?? text.length;
    yield start === 0 && end === text.length ? text : text.slice(start, end);
    start = end;
  }
}

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
const isLabelEnd = (code: number): boolean => code === 58 || code === 61;
const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
/** `"`, `'`, `(`, `)`, `,`, `;`, `<`, `>`, `[`, `]`, `{`, `}`, `|`: in none of the values that detectors know. */
const SEPARATORS = new Set([...'"\'(),;<>[]{}|'].map((sign) => sign.charCodeAt(0)));
const isSeparator = (code: number): boolean => SEPARATORS.has(code);
