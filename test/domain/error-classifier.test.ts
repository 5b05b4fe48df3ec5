import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonValue } from '../../contracts/json.ts';
import type { ErrorSignal, OutcomeClass } from '../../contracts/model.ts';
import { classifyError, verdictFor } from '../../domain/model/error-classifier.ts';
import { CLASS_RULES, ERROR_ROWS } from '../../domain/model/error-table.ts';
import { MAX_RETRY_AFTER_MS } from '../../domain/model/retry-after.ts';
import { holdsFor } from '../support/property.ts';

const NOW_MS = Date.parse('2026-10-21T07:28:00Z');
const openAi = (status: number, message: string, code: string | null = null, type = 'invalid_request_error'): ErrorSignal => ({
  status,
  body: { message, type, param: null, code },
});
/** LiteLLM keeps the message and rewrites type and code. */
const liteLlm = (status: number, message: string, type = 'throttling_error'): ErrorSignal => openAi(status, message, String(status), type);

/** One for each row of the table, in its order, as a provider or gateway words it. */
const EXAMPLES: readonly (readonly [OutcomeClass, ErrorSignal])[] = [
  ['budgetDenied', liteLlm(429, 'No deployments available - crossed budget', 'internal_server_error')],
  ['quotaExhausted', { status: 402 }],
  ['quotaExhausted', liteLlm(429, 'litellm.RateLimitError: You exceeded your current quota, please check your plan and billing details.')],
  ['contextLengthExceeded', liteLlm(400, "litellm.ContextWindowExceededError: This model's maximum context length is 128000 tokens.", 'invalid_request_error')],
  ['contentFiltered', openAi(400, "The response was filtered due to the prompt triggering the provider's content management policy.", 'content_filter')],
  ['modelNotFound', liteLlm(400, 'Invalid model name passed in model=gpt-99. Call `/v1/models`.', 'invalid_request_error')],
  ['authentication', { status: 401, body: 'Unauthorized' }],
  ['authentication', { status: 400, body: { error: { type: 'no_db_connection', message: 'No connected db.' } } }],
  ['overloaded', { status: 529 }],
  ['overloaded', openAi(500, 'The model is at capacity.', null, 'server_error')],
  ['rateLimited', openAi(403, 'Rate limit reached for gpt-5-mini on requests per min (RPM).', null, 'requests')],
  ['rateLimited', { status: 429 }],
  ['permission', openAi(403, 'Country, region, or territory not supported', 'unsupported_country_region_territory')],
  ['timeout', { status: 504, body: '<html>504 Gateway Time-out</html>' }],
  ['timeout', openAi(500, 'Request timed out.', null, 'server_error')],
  ['overloaded', { status: 503 }],
  ['modelNotFound', { status: 404, body: '404 page not found' }],
  ['connectionLost', { status: 502, body: 'upstream connect error or disconnect/reset before headers' }],
  ['serverError', { status: 409 }],
  ['badRequest', openAi(422, "Unsupported parameter: 'max_tokens'", 'unsupported_parameter')],
  ['serverError', { body: { error: { code: 'server_error', message: 'The model produced an error.' } } }],
  ['overloaded', { body: { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } } }],
];

test.each(ERROR_ROWS.map((row, index) => ({ index, row })))('row $index of the table, $row.class, has an example', ({ index, row }) => {
  const [expected, signal] = EXAMPLES[index] ?? ['ok', {}];
  expect(row.class).toBe(expected);
  expect(classifyError(signal, NOW_MS)).toEqual(verdictFor(row.class, row.billed));
});

test('no example is left over', () => {
  expect(EXAMPLES.length).toBe(ERROR_ROWS.length);
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
  [418, 'badRequest', 'no'],
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
])('the headers %o ask to wait %d ms', (headers, waitMs) => {
  expect(waitOf(headers)).toBe(waitMs);
});

test.each([
  ['Rate limit reached. Please try again in 20s.', 20_000],
  ['Rate limit reached. Please try again in 86ms.', 86],
  ['Rate limit reached. Please try again in 1.5s.', 1_500],
  ['Rate limit reached. Please try again in 6m0s.', 360_000],
  ['Requests exceeded the limit. Please retry after 10 seconds.', 10_000],
  ['No deployments available. Try again in 7 seconds.', 7_000],
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
