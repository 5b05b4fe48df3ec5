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
  readonly #values = new Set<string>();
  readonly #inOrder: { readonly type: string; readonly value: string }[] = [];

  get count(): number {
    return this.#inOrder.length;
  }

  add(type: string, value: string): void {
    if (value.length < SHORTEST || this.count === MOST || this.#values.has(value)) return;
    this.#values.add(value);
    this.#inOrder.push({ type, value });
  }

  /** Where values stand, without those that were there before the count was `since`. */
  placesIn(text: string, since: number): Finding[] {
    const places: Finding[] = [];
    for (let index = since; index < this.count; index++) {
      const { type, value } = this.#inOrder[index] as { type: string; value: string };
      for (let start = text.indexOf(value); start !== -1; start = text.indexOf(value, start + value.length))
        places.push({ type, start, end: start + value.length });
    }
    return places;
  }
}
