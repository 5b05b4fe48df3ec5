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
  /** Where nothing is known of the status (an error inside a stream), a row that has a text counts by its text alone. */
  readonly status?: readonly number[];
  readonly says?: RegExp;
  /** A header of the answer, and what it must match. */
  readonly header?: readonly [name: string, value: RegExp];
  /** Overrides what the class says, where this row knows better. */
  readonly billed?: Billed;
}

/**
 * First match wins. Texts come before statuses, because gateways rewrite codes and types and keep the text: LiteLLM turns
 * an exhausted quota into a plain 429, a context overflow and an unknown model into a plain 400.
 */
export const ERROR_ROWS: readonly ErrorRow[] = [
  // OpenRouter's bound on what may be in flight at once frees by itself; its header says when.
  { class: 'rateLimited', says: /openrouter_in_flight_budget/ },
  {
    class: 'budgetDenied',
    says: /budget_exceeded|budget has been exceeded|exceededbudget|exceededtokenbudget|crossed budget|over budget|max budget|exceeded .{0,40}budget|budget .{0,40}(exceeded|exhausted)|key limit exceeded|openrouter_key_limit|spend(ing)? limit .{0,40}(exceeded|reached)/,
  },
  { class: 'budgetDenied', status: [412], says: /budget|usage limit|exhausted/ },
  // Helicone's policy in cents is a budget that answers like a rate limit.
  { class: 'budgetDenied', status: [429], header: ['helicone-ratelimit-policy', /u=cents/] },
  { class: 'quotaExhausted', status: [402] },
  // Google words every limit as a quota; only one by the day lasts.
  {
    class: 'quotaExhausted',
    status: [429],
    says: /(resource[_ ]exhausted|generativelanguage\.googleapis)[\s\S]*perday|perday[\s\S]*(resource[_ ]exhausted|generativelanguage\.googleapis)/,
  },
  {
    class: 'rateLimited',
    status: [400, 403, 429, 500, 503],
    says: /resource_exhausted|resource exhausted|resource has been exhausted|generativelanguage\.googleapis\.com\/[a-z_]*(requests|tokens|count)/,
  },
  {
    class: 'quotaExhausted',
    says: /insufficient_quota|exceeded your current quota|billing_hard_limit|billing_not_active|billing_disabled|insufficient credits|insufficient balance|credit balance is too low|requires more credits|specified api usage limits|account is not active/,
  },
  { class: 'contextLengthExceeded', status: [400, 413, 429], says: /request too large|reduce your message size|input or output tokens must be reduced/ },
  {
    class: 'contextLengthExceeded',
    says: /context_length_exceeded|contextwindowexceeded|maximum context length|context window|context length|exceed context limit|prompt is too long|input is too long|input token count .{0,40}exceeds|too many tokens in (the )?(prompt|input)|exceeds the available context|reduce the length of (the|your) (messages|prompt|input)|string_above_max_length|max_tokens must be at least 1, got -/,
  },
  // The model wrote something that the endpoint would not hand over: the work was done.
  { class: 'invalidResponse', says: /json_validate_failed|tool_use_failed|failed_generation/, billed: 'unknown' },
  {
    class: 'contentFiltered',
    status: [400, 403, 422, 446, 451],
    says: /content_filter|content_policy|contentpolicyviolation|content management policy|content filtering|responsibleaipolicyviolation|safety system|content policy|usage policy|usage policies|moderation|flagged|guardrail|prohibited_content|data_inspection_failed|prompt blocked/,
  },
  { class: 'permission', says: /key_model_access_denied|not allowed to access model|unsupported_country|location is not supported/ },
  {
    class: 'modelNotFound',
    status: [400, 401, 403, 404, 410, 422],
    says: /model_not_found|deploymentnotfound|invalid model name|model .{0,80}(does not exist|not found|is not available|is not found)|models\/.{0,80}is not found|no such model|unknown model|not a valid model id|no endpoints found|model_decommissioned/,
  },
  { class: 'authentication', status: [401, 407] },
  {
    class: 'authentication',
    says: /invalid_api_key|incorrect api key|invalid api key|api key not valid|api_key_invalid|api key (has )?expired|no_db_connection|authentication_error|authenticationerror|invalid x-api-key|unauthorized/,
  },
  { class: 'overloaded', status: [498, 529] },
  {
    class: 'overloaded',
    status: [400, 500, 502, 503],
    says: /overloaded|over capacity|at capacity|capacity_exceeded|server is busy|server busy|no deployments available|no healthy deployments|slow_down|high demand|temporarily unavailable/,
  },
  {
    class: 'rateLimited',
    says: /rate_limit|rate limit|ratelimit|too many requests|throttl|requests per min|tokens per min/,
    status: [400, 403, 429, 500, 503],
  },
  { class: 'rateLimited', status: [429] },
  { class: 'permission', status: [403] },
  { class: 'timeout', status: [408, 504, 522, 524] },
  { class: 'timeout', status: [500, 502, 503], says: /timed? ?out|deadline exceeded/ },
  { class: 'connectionLost', says: /apiconnectionerror/ },
  { class: 'overloaded', status: [503] },
  { class: 'modelNotFound', status: [404] },
  {
    class: 'connectionLost',
    status: [502, 520, 521, 523, 525, 526, 530],
    says: /connection (reset|refused|error|aborted)|econnre|upstream connect|bad gateway|web server|ssl handshake|origin/,
  },
  // The client's end of the connection was lost on the way, as the proxy saw it.
  { class: 'connectionLost', status: [444, 460, 499] },
  { class: 'serverError', status: [409, 424, 425] },
  { class: 'badRequest', status: [400, 405, 406, 411, 413, 414, 415, 422, 431] },
  { class: 'serverError', says: /server_error|internal server error|internal_error/ },
];
