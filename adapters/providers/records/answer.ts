import type { NanoUsd } from '../../../contracts/budget.ts';
import type { TokenUsage } from '../../../contracts/model.ts';
import type { LookupAnswer } from '../../../domain/model/provider-port.ts';

const MAX_REASON_LENGTH = 300;

export const unknown = (reason: string): LookupAnswer => ({ type: 'unknown', reason: clean(reason) });

export const found = (usage: TokenUsage, record: string, serviceTier: string | null = null): LookupAnswer => ({
  type: 'found',
  usage,
  serviceTier,
  record: clean(record),
});

/** With what the record says the call cost, in USD; it counts only where the price table takes the provider's word. */
export function withReported(usage: TokenUsage, usd: number | null | undefined): TokenUsage {
  const nano = Math.ceil(Number(((usd ?? 0) * 1e9).toPrecision(15)));
  return Number.isSafeInteger(nano) && nano > 0 ? { ...usage, reportedNanoUsd: nano as NanoUsd } : usage;
}

/** A JSON answer with its status; null where it is not JSON. */
export interface Fetched {
  readonly status: number;
  readonly body: unknown;
}

export interface RecordsClient {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One GET. @throws where nothing answers. */
export async function getJson({ headers }: RecordsClient, url: string, signal: AbortSignal): Promise<Fetched> {
  // A redirect could take the key elsewhere.
  const response = await fetch(url, { headers, signal, redirect: 'error' });
  const text = await response.text();
  try {
    return { status: response.status, body: JSON.parse(text) };
  } catch {
    return { status: response.status, body: null };
  }
}

/** Runs a look-up; what goes wrong is an answer too. */
export async function answered(ask: () => Promise<LookupAnswer>): Promise<LookupAnswer> {
  try {
    return await ask();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return unknown(`the records can't be reached: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Text from outside, for people and for a store that takes no NUL. */
function clean(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_REASON_LENGTH);
}
