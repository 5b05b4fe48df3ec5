import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../contracts/json.ts';
import type { ErrorSignal } from '../../contracts/model.ts';
import { errorText } from '../../domain/model/error-body.ts';
import { classifyError, rowFor, statusOf, verdictFor } from '../../domain/model/error-classifier.ts';
import { CLASS_RULES, ERROR_ROWS } from '../../domain/model/error-table.ts';
import { jitterOf, MAX_RETRY_AFTER_MS } from '../../domain/model/retry-after.ts';
import { holdsFor } from '../support/property.ts';
import { FIXTURES_NOW_MS, type ProviderError } from './fixtures/provider-error.ts';
import { PROVIDER_ERRORS } from './fixtures/provider-errors.ts';

const NOW_MS = Date.parse('2026-10-21T07:28:00Z');
const signalOf = ({ provider, status, headers, body, transport }: ProviderError): ErrorSignal => ({
  provider,
  ...(status === undefined ? {} : { status }),
  ...(headers === undefined ? {} : { headers }),
  ...(body === undefined ? {} : { body }),
  ...(transport === undefined ? {} : { transport }),
});

test('there are fixtures for at least 80 shapes, and no two have one name', () => {
  expect(PROVIDER_ERRORS.length).toBeGreaterThanOrEqual(80);
  expect(new Set(PROVIDER_ERRORS.map(({ provider, name }) => `${provider}: ${name}`)).size).toBe(PROVIDER_ERRORS.length);
});

test.each(PROVIDER_ERRORS.map((fixture) => [`${fixture.provider}: ${fixture.name}`, fixture] as const))('%s', (_, fixture) => {
  const { name, provider, status, headers, body, transport, ...expected } = fixture;
  expect(classifyError(signalOf(fixture), FIXTURES_NOW_MS)).toEqual(expected);
});

test('every row of the table is what some fixture falls under', () => {
  const used = new Set(
    PROVIDER_ERRORS.filter(({ transport }) => transport === undefined).map((fixture) => {
      const signal = signalOf(fixture);
      return rowFor(signal, statusOf(signal), errorText(signal.body));
    }),
  );
  expect(ERROR_ROWS.filter((row) => !used.has(row))).toEqual([]);
});

test.each([
  ['timeout', 'timeout', 'unknown'],
  ['ECONNRESET', 'connectionLost', 'unknown'],
  ['ECONNREFUSED', 'connectionLost', 'no'],
  ['ENOTFOUND', 'connectionLost', 'no'],
  ['TLS', 'connectionLost', 'no'],
] as const)('the transport fault %s is %s, billed: %s', (transport, outcome, billed) => {
  expect(classifyError({ transport }, NOW_MS)).toEqual({ ...verdictFor(outcome), billed });
});

test.each([
  [418, 'badRequest', 'unknown'],
  [451, 'badRequest', 'unknown'],
  [501, 'serverError', 'unknown'],
  [302, 'serverError', 'unknown'],
  [undefined, 'serverError', 'unknown'],
  [200, 'invalidResponse', 'unknown'],
] as const)('a status %s that no row knows is %s, billed: %s', (status, outcome, billed) => {
  expect(classifyError({ ...(status === undefined ? {} : { status }), body: 'gibberish' }, NOW_MS)).toEqual({ ...verdictFor(outcome), billed });
});

test('what may have reached the provider is never called unbilled', () => {
  for (const outcome of ['overloaded', 'serverError', 'timeout', 'connectionLost', 'invalidResponse'] as const)
    expect(CLASS_RULES[outcome].billed).not.toBe('no');
});

test('the text counts wherever a gateway put it', () => {
  const said = 'insufficient_quota';
  const bodies: JsonValue[] = [said, [said], { error: { metadata: { raw: `{"error":{"code":"${said}"}}` } } }, { detail: [{ msg: said.toUpperCase() }] }];
  for (const body of bodies) expect(classifyError({ status: 400, body }, NOW_MS).class).toBe('quotaExhausted');
});

test('whatever a gateway answers, there is one verdict by the rules of its class, and never a throw', () => {
  const headers = fc.dictionary(fc.constantFrom('retry-after', 'retry-after-ms', 'x-ms-retry-after-ms', 'other'), fc.string());
  const signal = fc.record({ status: fc.integer({ min: 100, max: 599 }), headers, body: fc.jsonValue() }, { requiredKeys: [] });
  holdsFor(signal as fc.Arbitrary<ErrorSignal>, (seen) => {
    const verdict = classifyError(seen, NOW_MS);
    const { retrySameModel, nextCandidate } = CLASS_RULES[verdict.class];
    expect(verdict).toMatchObject({ retrySameModel, nextCandidate });
    const { retryAfterMs = 0 } = verdict;
    expect(Number.isSafeInteger(retryAfterMs) && retryAfterMs >= 0 && retryAfterMs <= MAX_RETRY_AFTER_MS).toBe(true);
  });
});

const waitOf = (headers: Record<string, string>, message = '') => classifyError({ status: 429, headers, body: { message } }, NOW_MS).retryAfterMs;

test.each([
  [{ 'retry-after': '7' }, 7_000],
  [{ 'retry-after': '0.25' }, 250],
  [{ 'retry-after': ' 0 ' }, 0],
  [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT' }, 30_000],
  [{ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
  [{ 'retry-after-ms': '1500', 'retry-after': '60' }, 1_500],
  [{ 'retry-after-ms': 'soon', 'retry-after': '60' }, 60_000],
  [{ 'llm_provider-retry-after': '7' }, 7_000],
  [{ 'llm_provider-retry-after-ms': '7' }, 7],
  [{ 'x-ms-retry-after-ms': '12.5' }, 13],
  [{ 'retry-after': '1m30s' }, 90_000],
  [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6ms' }, 6],
  [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '2m59.56s' }, 179_560],
  [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1h' }, 3_600_000],
  [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '10' }, 10_000],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '3s', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1s' }, 3_000],
  [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS / 1_000 + 25) }, 25_000],
  [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW_MS + 25) }, 25],
  [{ 'x-ratelimit-reset': String(NOW_MS - 5) }, 0],
  [{ 'anthropic-ratelimit-tokens-remaining': '0', 'anthropic-ratelimit-tokens-reset': '2026-10-21T07:28:09Z' }, 9_000],
  [{ 'x-ratelimit-remaining-tokens': '5', 'x-ratelimit-reset-tokens': '3s' }, undefined],
  [{ 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': 'soon' }, undefined],
] as [Record<string, string>, number | undefined][])('the headers %o ask to wait %s ms', (headers, waitMs) => {
  expect(waitOf(headers)).toBe(waitMs);
});

test.each([
  ['Rate limit reached. Please try again in 20s.', 20_000],
  ['Rate limit reached. Please try again in 86ms.', 86],
  ['Rate limit reached. Please try again in 1.5s.', 1_500],
  ['Rate limit reached. Please try again in 6m0s.', 360_000],
  ['Requests exceeded the limit. Please retry after 10 seconds.', 10_000],
  ['No deployments available. Try again in 7 seconds.', 7_000],
  ['Please try again in 9m38.016s.', 578_016],
  ['Please try again in 1h2m3s.', 3_723_000],
  ['Please try again in 2 minutes.', 120_000],
  ['Please retry in 44.058s.', 44_058],
  ['Limit resets at: 2026-10-21 07:28:30 UTC', 30_000],
  ['{"@type": "google.rpc.RetryInfo", "retryDelay": "17s"}', 17_000],
  ['Please try again later.', undefined],
  ['Please try again in a moment. Limit 30000 tokens.', undefined],
])('the message "%s" asks to wait %s ms', (message, waitMs) => {
  expect(waitOf({}, message)).toBe(waitMs);
});

test('a wait that makes no sense is not read, and a long one is cut', () => {
  for (const nonsense of ['', '-5', '1e9', 'NaN', 'Infinity', '0x10', '7, 7', '٣', '111x'])
    expect(waitOf({ 'retry-after': nonsense }), nonsense).toBeUndefined();
  for (const long of ['86401', '9'.repeat(400), 'Wed, 21 Oct 9999 07:28:00 GMT']) expect(waitOf({ 'retry-after': long }), long).toBe(MAX_RETRY_AFTER_MS);
  expect(waitOf({}, `try again in ${'9'.repeat(30)}s`)).toBe(MAX_RETRY_AFTER_MS);
});

test('what a limit has left of itself is nothing to wait for where no limit was met', () => {
  const headers = { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '9s' };
  expect(classifyError({ status: 500, headers }, NOW_MS).retryAfterMs).toBeUndefined();
});

test('an attempt always waits with the same jitter, and attempts that failed together come back apart', () => {
  expect(jitterOf('9f3c')).toBe(jitterOf('9f3c'));
  const ids = Array.from({ length: 2_000 }, (_, index) => `9f3c2a10-7d4e-4b0a-8f6e-${index.toString(16).padStart(12, '0')}`);
  const tenths = Map.groupBy(ids.map(jitterOf), (jitter) => Math.floor(jitter * 10));
  expect([...tenths.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const share of tenths.values()) expect(share.length).toBeGreaterThan(140);
  holdsFor(fc.string(), (id) => expect(jitterOf(id) >= 0 && jitterOf(id) < 1).toBe(true));
});

test('an error that may have cost something is never called unbilled, whatever else it says', () => {
  const words = PROVIDER_ERRORS.flatMap(({ body }) => (body === undefined ? [] : [body]));
  const doubt = fc.constantFrom<Partial<ErrorSignal>>({ status: 200 }, { status: 500 }, { status: 503 }, { headers: { 'x-litellm-attempted-retries': '1' } });
  holdsFor(fc.record({ body: fc.constantFrom(...words), status: fc.constantFrom(400, 401, 403, 429), reason: doubt }), ({ body, status, reason }) => {
    expect(classifyError({ status, body, ...reason }, NOW_MS).billed).not.toBe('no');
  });
});
