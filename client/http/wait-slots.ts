import { TollgateError } from '../../contracts/failures.ts';

/** How many requests may wait at once (long polls and event streams): each looks into the store again and again. */
export const WAIT_LIMITS = { total: 200, perCaller: 50 } as const;

/** The places of those who wait. */
export class WaitSlots {
  readonly #limits: { readonly total: number; readonly perCaller: number };
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(limits: { readonly total: number; readonly perCaller: number } = WAIT_LIMITS) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#total;
  }

  /** Takes a place; answers how to give it back, which may be called twice. @throws TollgateError `tooManyRequests`. */
  take(caller: string): () => void {
    const own = this.#taken.get(caller) ?? 0;
    if (own >= this.#limits.perCaller || this.#total >= this.#limits.total)
      throw new TollgateError(
        'tooManyRequests',
        `${own >= this.#limits.perCaller ? own : this.#total} requests wait already, which is the most there may be. Close one, or try again later.`,
      );
    this.#taken.set(caller, own + 1);
    this.#total += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#total -= 1;
      const left = (this.#taken.get(caller) ?? 1) - 1;
      if (left > 0) this.#taken.set(caller, left);
      else this.#taken.delete(caller);
    };
  }
}
