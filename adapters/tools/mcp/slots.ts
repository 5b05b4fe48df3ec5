import { NotSentError } from '../guarded-request.ts';

/** Room for a number of things at once; the others wait in the order they came. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Does `work` when there is room. @throws NotSentError where `signal` is aborted before. */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#take(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(new NotSentError('Too many calls of this server were under way until the time was over. Nothing was sent.'));
      };
      if (signal.aborted) return reject(new NotSentError('The time for the call was over before it began. Nothing was sent.'));
      this.#waiting.push(enter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
