/** How long a cancelled run still waits for a reply that it pays for anyway, and a late background response for its end. */
const GRACE_MS = 10_000;

export interface ReplyWaitOptions {
  readonly timeoutMs: number;
  /** Aborted when the run is cancelled. */
  readonly cancelled: AbortSignal;
  /** Asks the provider to stop a background response. */
  readonly stop: (responseId: string) => Promise<void>;
}

/**
 * How long a reply is waited for: until the call's own deadline, or some time after a cancellation, because what is paid for
 * is waited for within reason. A background response that nobody will use any more is stopped at the provider, and its end
 * waited for, which says what it cost.
 */
export class ReplyWait {
  readonly #options: ReplyWaitOptions;
  readonly #controller = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  #grace: NodeJS.Timeout | null = null;
  #responseId: string | null = null;
  #isPastDeadline = false;

  constructor(options: ReplyWaitOptions) {
    this.#options = options;
    this.#deadline = setTimeout(() => this.#atDeadline(), options.timeoutMs);
    if (options.cancelled.aborted) this.#soften();
    else options.cancelled.addEventListener('abort', this.#soften, { once: true });
  }

  /** Aborts when there is nothing more to wait for. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isPastDeadline(): boolean {
    return this.#isPastDeadline;
  }

  /** The reply is a background response of that id. It may be unwanted already. */
  isInBackground(responseId: string): void {
    this.#responseId = responseId;
    if (this.#grace) this.#stopResponse();
  }

  close(): void {
    clearTimeout(this.#deadline);
    if (this.#grace) clearTimeout(this.#grace);
    this.#options.cancelled.removeEventListener('abort', this.#soften);
  }

  #atDeadline(): void {
    this.#isPastDeadline = true;
    if (this.#responseId === null) this.#controller.abort();
    else this.#soften();
  }

  readonly #soften = (): void => {
    if (this.#grace) return;
    this.#grace = setTimeout(() => this.#controller.abort(), GRACE_MS);
    this.#stopResponse();
  };

  #stopResponse(): void {
    if (this.#responseId !== null) this.#options.stop(this.#responseId).catch(() => undefined);
  }
}
