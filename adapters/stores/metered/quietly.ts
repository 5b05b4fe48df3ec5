/** Counts beside the work: nobody waits for it, and what goes wrong with it is nobody's failure. */
export function quietly(count: () => Promise<void>): void {
  count().catch(() => undefined);
}

/** What is looked up only to count; null where it can't be had. */
export async function orNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch {
    return null;
  }
}
