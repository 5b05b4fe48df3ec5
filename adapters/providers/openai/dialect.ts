/** What an endpoint accepts beyond the common ground. */
export interface Dialect {
  /** OpenAI itself, or a faithful copy of it: takes `max_completion_tokens`, `service_tier`, `store`, `include`. */
  readonly isOpenAi: boolean;
}

/** Whether a base URL is OpenAI's own; everything else gets only what compatible servers are known to take. */
export function isOpenAiUrl(baseUrl: string | undefined): boolean {
  if (baseUrl === undefined) return true;
  return new URL(baseUrl).hostname.endsWith('api.openai.com');
}
