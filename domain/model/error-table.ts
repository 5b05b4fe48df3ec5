import type { Billed, OutcomeClass } from '../../contracts/model.ts';

/** What each class of outcome permits. `billed` is what the class alone says; what a reply reports comes first. */
export const CLASS_RULES: Readonly<Record<OutcomeClass, { readonly retrySameModel: boolean; readonly nextCandidate: boolean; readonly billed: Billed }>> = {
  ok: { retrySameModel: false, nextCandidate: false, billed: 'yes' },
  rateLimited: { retrySameModel: true, nextCandidate: true, billed: 'no' },
  quotaExhausted: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  overloaded: { retrySameModel: true, nextCandidate: true, billed: 'unknown' },
  serverError: { retrySameModel: true, nextCandidate: true, billed: 'unknown' },
  timeout: { retrySameModel: true, nextCandidate: true, billed: 'unknown' },
  connectionLost: { retrySameModel: true, nextCandidate: true, billed: 'unknown' },
  contextLengthExceeded: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  contentFiltered: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  authentication: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  permission: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  badRequest: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  modelNotFound: { retrySameModel: false, nextCandidate: true, billed: 'no' },
  invalidResponse: { retrySameModel: true, nextCandidate: true, billed: 'yes' },
  refusal: { retrySameModel: false, nextCandidate: false, billed: 'yes' },
  outputTruncated: { retrySameModel: false, nextCandidate: true, billed: 'yes' },
  /** A gateway's own budget said no: not a reason to spend elsewhere. */
  budgetDenied: { retrySameModel: false, nextCandidate: false, billed: 'no' },
};

/** One row of the table: all that it states must hold. `says` is matched against code, type, param and message together. */
export interface ErrorRow {
  readonly class: OutcomeClass;
  readonly status?: readonly number[];
  readonly says?: RegExp;
  /** Overrides what the class says, where this row knows better. */
  readonly billed?: Billed;
}

/**
 * First match wins. Texts come before statuses, because gateways rewrite codes and types and keep the text: LiteLLM turns
 * an exhausted quota into a plain 429, a context overflow and an unknown model into a plain 400.
 */
export const ERROR_ROWS: readonly ErrorRow[] = [
  { class: 'budgetDenied', says: /budget_exceeded|budget has been exceeded|exceededbudget|crossed budget|over budget|max budget|exceeded .{0,40}budget/ },
  { class: 'quotaExhausted', status: [402] },
  {
    class: 'quotaExhausted',
    says: /insufficient_quota|exceeded your current quota|billing_hard_limit|billing_not_active|insufficient credits|insufficient balance|credit balance is too low|requires more credits/,
  },
  {
    class: 'contextLengthExceeded',
    says: /context_length_exceeded|contextwindowexceeded|maximum context length|context window|context length|prompt is too long|input is too long|too many tokens in (the )?(prompt|input)|exceeds the available context|reduce the length of (the|your) (messages|prompt|input)|string_above_max_length/,
  },
  {
    class: 'contentFiltered',
    says: /content_filter|content_policy|contentpolicyviolation|content management policy|responsibleaipolicyviolation|safety system|content policy|moderation|flagged|guardrail/,
  },
  {
    class: 'modelNotFound',
    says: /model_not_found|deploymentnotfound|invalid model name|model .{0,80}(does not exist|not found|is not available)|no such model|unknown model|not a valid model id|no endpoints found/,
  },
  { class: 'authentication', status: [401] },
  {
    class: 'authentication',
    says: /invalid_api_key|incorrect api key|invalid api key|no_db_connection|authentication_error|authenticationerror|invalid x-api-key|unauthorized/,
  },
  { class: 'overloaded', status: [529] },
  {
    class: 'overloaded',
    status: [500, 502, 503],
    says: /overloaded|over capacity|at capacity|server is busy|no deployments available|slow_down|high demand|temporarily unavailable/,
  },
  {
    class: 'rateLimited',
    says: /rate_limit|rate limit|ratelimiterror|too many requests|throttl|requests per min|tokens per min/,
    status: [400, 403, 429, 500, 503],
  },
  { class: 'rateLimited', status: [429] },
  { class: 'permission', status: [403] },
  { class: 'timeout', status: [408, 504, 522, 524] },
  { class: 'timeout', status: [500, 502, 503], says: /timed? ?out|deadline exceeded/ },
  { class: 'overloaded', status: [503] },
  { class: 'modelNotFound', status: [404] },
  { class: 'connectionLost', status: [502, 520, 521, 523], says: /connection (reset|refused|error|aborted)|econnre|upstream connect|bad gateway/ },
  { class: 'serverError', status: [409, 425] },
  { class: 'badRequest', status: [400, 405, 406, 411, 413, 414, 415, 422, 431] },
  { class: 'serverError', says: /server_error|internal server error|internal_error/ },
  { class: 'overloaded', says: /overloaded/ },
];
