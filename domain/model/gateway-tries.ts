/** Headers by which gateways count their own further tries of one request. */
const TRIES = ['x-litellm-attempted-retries', 'x-litellm-attempted-fallbacks', 'helicone-fallback-index', 'x-portkey-retry-attempt-count'];

/**
 * Whether a gateway tried more than once, or another model than it was asked for. What the answer reports is then the last try's
 * cost alone, at a price that may be another model's: no count of ours.
 */
export function wasTriedByGateway(header: (name: string) => string | null | undefined): boolean {
  return TRIES.some((name) => Number(header(name) ?? 0) > 0);
}

/** Whether a gateway answered from its own cache: nobody was asked, and what the answer counts is what an earlier call cost. */
export function isFromGatewayCache(header: (name: string) => string | null | undefined): boolean {
  return Boolean(header('x-litellm-cache-key')) || header('helicone-cache')?.toUpperCase() === 'HIT';
}
