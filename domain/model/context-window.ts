/** Text with fewer tokens than one for so many bytes is not written by people or programs: a request is not passed over on a guess. */
const MOST_BYTES_PER_TOKEN = 8;

/**
 * Whether a request of `bodyBytes` is larger than the model's context for certain. Where it only may be, the provider says so,
 * free of charge. `contextWindow` undefined: not known, so nothing is too large.
 */
export function isTooLargeFor(contextWindow: number | undefined, bodyBytes: number): boolean {
  return contextWindow !== undefined && bodyBytes / MOST_BYTES_PER_TOKEN > contextWindow;
}
