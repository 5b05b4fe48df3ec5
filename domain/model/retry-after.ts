import type { ErrorSignal } from '../../contracts/model.ts';

/** No provider is waited for longer than this, in milliseconds: a garbled header must not stop a run for years. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/** Where a provider or a gateway says when to come back; the first that can be read counts. */
const HEADERS = ['retry-after-ms', 'retry-after', 'llm_provider-retry-after-ms', 'llm_provider-retry-after', 'x-ms-retry-after-ms'];

/** How long the provider asks to wait, in milliseconds; undefined where it says nothing that can be read. */
export function retryAfterOf(signal: ErrorSignal, text: string, nowMs: number): number | undefined {
  for (const name of HEADERS) {
    const value = signal.headers?.[name];
    const waitMs = value === undefined ? undefined : read(value.trim(), name.endsWith('-ms'), nowMs);
    if (waitMs !== undefined) return Math.min(waitMs, MAX_RETRY_AFTER_MS);
  }
  return fromText(text);
}

function read(value: string, isMilliseconds: boolean, nowMs: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * (isMilliseconds ? 1 : 1_000));
  if (!/[a-z]{3}/i.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function fromText(text: string): number | undefined {
  const match = /(?:try again|retry|retry after)[^.\d]{0,20}(?:(\d+)m(?!s))?\s*(\d+(?:\.\d+)?)\s*(ms|milliseconds|s|sec|seconds)\b/.exec(text);
  if (!match) return undefined;
  const unitMs = match[3]?.startsWith('m') ? 1 : 1_000;
  return Math.min(MAX_RETRY_AFTER_MS, Math.ceil(Number(match[1] ?? 0) * 60_000 + Number(match[2]) * unitMs));
}
