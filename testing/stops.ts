/** What has been started, stopped in the opposite order, all of it even where one fails, and once. */
export class Stops {
  readonly #stops: (() => Promise<void>)[] = [];
  #running: Promise<void> | null = null;

  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  /** @throws AggregateError with everything that could not be stopped. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const errors: unknown[] = [];
    for (const stop of this.#stops.reverse()) await stop().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw new AggregateError(errors, `${errors.length} parts of the test environment did not stop: ${errors.map(String).join('; ')}`);
  }
}
