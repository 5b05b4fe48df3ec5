import type { NanoUsd } from '../../../contracts/budget.ts';
import type { ProviderResult } from '../../../domain/model/provider-port.ts';

const NANO_PER_USD = 1_000_000_000;
const MAX_USD = 100_000;

/** What a gateway's header says that the call cost goes beside the tokens, to be compared; it counts only where a price says so. */
export function withGatewayCost(result: ProviderResult, headers: Headers): ProviderResult {
  if (!('usage' in result) || !result.usage || result.usage.reportedNanoUsd !== undefined) return result;
  const stated = headers.get('x-litellm-response-cost');
  const usd = stated === null || stated.trim() === '' ? Number.NaN : Number(stated);
  if (!(usd >= 0 && usd < MAX_USD)) return result;
  return { ...result, usage: { ...result.usage, reportedNanoUsd: Math.round(usd * NANO_PER_USD) as NanoUsd } };
}
