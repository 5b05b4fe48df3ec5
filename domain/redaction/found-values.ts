import type { Finding } from './port.ts';

/** A shorter value stands within other words by chance. */
const SHORTEST = 8;
/** Each is looked for in whatever follows, so there is an end to it. */
const MOST = 100;

/**
 * The values found so far in a text, a stream or a JSON value. One that only its label gave away (`password: …`) is found again where
 * it stands without.
 */
export class FoundValues {
  readonly #types = new Map<string, string>();

  add(type: string, value: string): void {
    if (value.length >= SHORTEST && this.#types.size < MOST && !this.#types.has(value)) this.#types.set(value, type);
  }

  placesIn(text: string): Finding[] {
    const places: Finding[] = [];
    for (const [value, type] of this.#types)
      for (let start = text.indexOf(value); start !== -1; start = text.indexOf(value, start + value.length))
        places.push({ type, start, end: start + value.length });
    return places;
  }
}
