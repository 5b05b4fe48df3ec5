/** Most recently used entries, at most `size`, each for at most `ttlMs`. What fails to load is not kept. */
export class KeyCache<T> {
  readonly #entries = new Map<string, { readonly value: Promise<T>; loaded: T | null; readonly untilMs: number }>();
  readonly #size: number;
  readonly #ttlMs: number;
  readonly #now: () => number;

  constructor(options: { readonly size: number; readonly ttlMs: number; readonly now: () => number }) {
    this.#size = options.size;
    this.#ttlMs = options.ttlMs;
    this.#now = options.now;
  }

  get(name: string, load: () => Promise<T>): Promise<T> {
    const known = this.#live(name);
    if (known) return known.value;
    const entry = { value: load(), loaded: null as T | null, untilMs: this.#now() + this.#ttlMs };
    this.#entries.set(name, entry);
    entry.value.then(
      (value) => {
        entry.loaded = value;
      },
      () => {
        if (this.#entries.get(name) === entry) this.#entries.delete(name);
      },
    );
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#size) break;
      this.#entries.delete(oldest);
    }
    return entry.value;
  }

  /** What is loaded, null else. */
  peek(name: string): T | null {
    return this.#live(name)?.loaded ?? null;
  }

  delete(isGone: (name: string) => boolean): void {
    for (const name of this.#entries.keys()) if (isGone(name)) this.#entries.delete(name);
  }

  #live(name: string) {
    const entry = this.#entries.get(name);
    if (!entry) return null;
    this.#entries.delete(name);
    if (entry.untilMs <= this.#now()) return null;
    this.#entries.set(name, entry);
    return entry;
  }
}
