import type { ErrorSignal, OutcomeClass } from '../../contracts/model.ts';

/** No provider is waited for longer than this, in milliseconds: a garbled header must not stop a run for years. */
export const MAX_RETRY_AFTER_MS = 86_400_000;

/** Where a provider or a gateway says when to come back; the first that can be read counts. */
const HEADERS = ['retry-after-ms', 'retry-after', 'llm_provider-retry-after-ms', 'llm_provider-retry-after', 'x-ms-retry-after-ms'];

/** What a provider counts, by the names that it gives the headers of its limits. */
const LIMITS = ['requests', 'tokens', 'input-tokens', 'output-tokens'];
const PREFIXES = ['', 'llm_provider-'];

/**
 * How long the provider asks to wait, in milliseconds; undefined where it says nothing that can be read. A header comes before
 * the message, and both before the time at which a limit that is used up resets, which only a rate limit is about.
 */
export function retryAfterOf(signal: ErrorSignal, text: string, nowMs: number, outcome?: OutcomeClass): number | undefined {
  const headers = signal.headers ?? {};
  for (const name of HEADERS) {
    const value = headers[name];
    const waitMs = value === undefined ? undefined : readHeader(value.trim(), name.endsWith('-ms'), nowMs);
    if (waitMs !== undefined) return Math.min(waitMs, MAX_RETRY_AFTER_MS);
  }
  const waitMs = fromText(text, nowMs) ?? (outcome === 'rateLimited' ? untilReset(headers, nowMs) : undefined);
  return waitMs === undefined ? undefined : Math.min(waitMs, MAX_RETRY_AFTER_MS);
}

/**
 * A number in [0, 1) that is always the same for an attempt, so that runs which failed together come back apart, and a replayed
 * workflow waits as long as it did.
 */
export function jitterOf(attemptId: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < attemptId.length; index += 1) hash = Math.imul(hash ^ attemptId.charCodeAt(index), 0x01000193);
  // FNV leaves similar ids close together in the high bits, which are the ones that count here.
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

function readHeader(value: string, isMilliseconds: boolean, nowMs: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * (isMilliseconds ? 1 : 1_000));
  return readDuration(value) ?? readDate(value, nowMs);
}

function readDate(value: string, nowMs: number): number | undefined {
  if (!/[a-z]{3}|^\d{4}-\d\d-\d\d/i.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** `1m30s`, `6ms`, `2h`, `7.66s`: units from large to small, each at most once. */
function readDuration(value: string): number | undefined {
  const match = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/.exec(value);
  if (!match || value === '') return undefined;
  const [, days, hours, minutes, seconds, milliseconds] = match;
  const total = Object.entries({ d: days, h: hours, m: minutes, s: seconds, ms: milliseconds }).reduce(
    (sum, [unit, amount]) => sum + Number(amount ?? 0) * (UNIT_MS[unit] ?? 0),
    0,
  );
  return Math.ceil(Number(total.toPrecision(12)));
}

/** The latest reset among the limits that are used up. A limit with something left says nothing about this request. */
function untilReset(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const waits = PREFIXES.flatMap((prefix) => [
    ...LIMITS.map((limit) => [headers[`${prefix}x-ratelimit-remaining-${limit}`], headers[`${prefix}x-ratelimit-reset-${limit}`]] as const),
    ...LIMITS.map((limit) => [headers[`${prefix}anthropic-ratelimit-${limit}-remaining`], headers[`${prefix}anthropic-ratelimit-${limit}-reset`]] as const),
    [headers[`${prefix}x-ratelimit-remaining`] ?? '0', headers[`${prefix}x-ratelimit-reset`]] as const,
  ]).flatMap(([remaining, reset]) => {
    const waitMs = remaining !== undefined && Number(remaining) <= 0 && reset !== undefined ? readReset(reset.trim(), nowMs) : undefined;
    return waitMs === undefined ? [] : [waitMs];
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}

/** A reset is a duration, a number of seconds, a time in seconds or milliseconds since 1970, or a date. */
function readReset(value: string, nowMs: number): number | undefined {
  if (!/^\d+(\.\d+)?$/.test(value)) return readDuration(value) ?? readDate(value, nowMs);
  const number = Number(value);
  if (number >= 1e11) return Math.max(0, Math.ceil(number - nowMs));
  return number >= 1e9 ? Math.max(0, Math.ceil(number * 1_000 - nowMs)) : Math.ceil(number * 1_000);
}

const AMOUNT = '(\\d+(?:\\.\\d+)?)\\s*';
const TEXT_WAIT = new RegExp(
  `(?:try again|retry|retry after|retrydelay)[^.\\d]{0,20}(?=\\d)(?:${AMOUNT}h(?:ours?|rs?)?\\s*)?(?:${AMOUNT}m(?:in(?:utes?|s)?)?(?![a-z])\\s*|${AMOUNT}m(?=\\d)\\s*)?(?:${AMOUNT}(ms|milliseconds|s|sec|secs|seconds)\\b)?`,
  'g',
);
const TEXT_DATE = /(?:resets? at|available at|try again at|retry at)[: ]+(\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?)\s*(z|utc|[+-]\d\d:?\d\d)?/;

function fromText(text: string, nowMs: number): number | undefined {
  for (const [, hours, minutes, minutesBefore, amount, unit] of text.matchAll(TEXT_WAIT)) {
    if (hours === undefined && minutes === undefined && minutesBefore === undefined && amount === undefined) continue;
    const unitMs = unit?.startsWith('m') ? 1 : 1_000;
    const total = Number(hours ?? 0) * 3_600_000 + Number(minutes ?? minutesBefore ?? 0) * 60_000 + Number(amount ?? 0) * unitMs;
    return Math.ceil(Number(total.toPrecision(12)));
  }
  const date = TEXT_DATE.exec(text);
  return date ? readDate(`${date[1]?.replace(' ', 'T')}${date[2] === undefined || /z|utc/.test(date[2]) ? 'Z' : date[2]}`, nowMs) : undefined;
}
