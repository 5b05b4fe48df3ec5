/** The newest `size` entries of what was seen. */
export class Remembered<T> {
  readonly #entries = new Map<string, T>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#size && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Whether this is the first time. */
  isFirst(this: Remembered<true>, key: string): boolean {
    if (this.#entries.has(key)) return false;
    this.set(key, true);
    return true;
  }
}
