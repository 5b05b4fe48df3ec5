const ASCII = 128;

/**
 * Finds every place of many keywords in one pass (Aho-Corasick as a table: one look-up per character, whatever the keywords are).
 * Keywords are ASCII in small letters; the text's capitals count as small letters.
 */
export class KeywordIndex {
  readonly #classes: Uint8Array;
  readonly #width: number;
  readonly #next: Uint16Array;
  /** By state, the keywords that end there, the longest first. */
  readonly #ends: readonly (readonly number[])[];

  constructor(keywords: readonly string[]) {
    const signs = [...new Set(keywords.join(''))];
    this.#width = signs.length + 1;
    this.#classes = new Uint8Array(ASCII);
    for (const [index, sign] of signs.entries()) for (const form of [sign, sign.toUpperCase()]) this.#classes[form.charCodeAt(0)] = index + 1;
    const { next, ends } = buildStates(keywords, this.#classes, this.#width);
    this.#next = next;
    this.#ends = ends;
  }

  /** Calls back with the index of the keyword and the place after its last character, in order of that place. */
  scan(text: string, visit: (keyword: number, end: number) => void): void {
    const next = this.#next;
    const classes = this.#classes;
    let state = 0;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      state = next[state * this.#width + (code < ASCII ? (classes[code] as number) : 0)] as number;
      const ends = this.#ends[state] as readonly number[];
      if (ends.length > 0) for (const keyword of ends) visit(keyword, index + 1);
    }
  }
}

function buildStates(keywords: readonly string[], classes: Uint8Array, width: number): { next: Uint16Array; ends: number[][] } {
  const next = new Uint16Array((keywords.join('').length + 1) * width);
  const ends: number[][] = [[]];
  for (const [keyword, text] of keywords.entries()) {
    let state = 0;
    for (let index = 0; index < text.length; index++) {
      const edge = state * width + (classes[text.charCodeAt(index)] as number);
      if (next[edge] === 0) next[edge] = ends.push([]) - 1;
      state = next[edge] as number;
    }
    ends[state]?.push(keyword);
  }
  linkFailures(next, ends, width);
  return { next, ends };
}

/** Breadth first, so that the state a miss leads to is complete before the states that lead to it. */
function linkFailures(next: Uint16Array, ends: number[][], width: number): void {
  const failure = new Uint16Array(ends.length);
  const open = Array.from(next.subarray(0, width)).filter((state) => state !== 0);
  for (let state = open.shift(); state !== undefined; state = open.shift()) {
    const miss = failure[state] as number;
    ends[state]?.push(...(ends[miss] ?? []));
    for (let sign = 0; sign < width; sign++) {
      const edge = state * width + sign;
      const onMiss = next[miss * width + sign] as number;
      if (next[edge] === 0) next[edge] = onMiss;
      else {
        failure[next[edge] as number] = onMiss;
        open.push(next[edge] as number);
      }
    }
  }
}
