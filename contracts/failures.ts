/**
 * Every failure type that leaves Tollgate, with what happened and what to do next. `docs/failures.md` has one heading for each;
 * a test compares the two both ways. No zod here: workflows import this file.
 */
export const FAILURES = {
  invalidInput: { retryable: false, summary: 'The input of a run, a command or an activity does not have the required shape.' },
  unknownTask: { retryable: false, summary: 'The worker knows no task of that name.' },
  unpricedModel: { retryable: false, summary: 'A model has no price, so its cost cannot be bounded.' },
  unknownModel: { retryable: false, summary: 'No configured endpoint serves the model.' },
  missingKey: { retryable: false, summary: 'The endpoint of a model needs an API key that is not set.' },
  journalMissing: { retryable: false, summary: 'History names an attempt or an action that the store lacks: the store was lost or restored.' },
  snapshotMissing: { retryable: false, summary: 'The pinned task of the run is not in the store.' },
  toolVersionUnavailable: { retryable: true, summary: 'No worker has the pinned version of a tool; the run waits for one.' },
  toolNotOffered: { retryable: false, summary: 'An MCP server does not offer a tool of the task, or not the one that the task was written for.' },
  toolChanged: { retryable: true, summary: 'An MCP server offers another tool than the one that the run is pinned to; nothing was sent and the run waits.' },
  toolServerUnavailable: { retryable: true, summary: 'An MCP server does not start or answer; nothing was sent.' },
  stopped: { retryable: true, summary: 'A person threw a stop switch that holds this back; nothing was sent, and the run waits until it is lifted.' },
  paused: { retryable: true, summary: 'An operator paused the run; nothing was sent, and it goes on once it is resumed.' },
  storeFull: { retryable: true, summary: 'The store cannot take another row; the run waits for room.' },
  storeUnavailable: { retryable: true, summary: 'The store cannot be reached or is locked; the run waits.' },
  unreadable: { retryable: false, summary: 'A sealed value does not open: it was changed, or sealed under a key that is not here.' },
  erased: { retryable: false, summary: 'The key of what was asked for was destroyed by an erasure.' },
  keysUnavailable: { retryable: true, summary: 'The key management service cannot be reached; whoever needs a key waits.' },
  toolFailed: { retryable: true, summary: 'A repeatable tool failed in a way that another try may cure.' },
  modelChainExhausted: { retryable: false, summary: 'Every model of the chain was tried and none gave a usable reply.' },
  modelsUnavailable: { retryable: false, summary: 'No model of the chain was there to answer, and the task says what to do then.' },
  modelRefused: { retryable: false, summary: 'The model refused the request.' },
  outputTruncated: { retryable: false, summary: 'The reply was cut off at the output token limit.' },
  invalidOutput: { retryable: false, summary: "The model's answer does not fit the task's output schema." },
  maxStepsReached: { retryable: false, summary: 'The run took as many steps as it may and had no answer yet.' },
  timeLimitReached: { retryable: false, summary: 'The run took as long as it may and had no answer yet.' },
  budgetExhausted: { retryable: false, summary: 'The next model call could cost more than what is left of the budget.' },
  redactionBlocked: { retryable: false, summary: 'Redaction policy keeps something that was found from going on.' },
  notPermitted: { retryable: false, summary: 'An irreversible action was asked for without a valid approval. Nothing was sent.' },
  temporalUnavailable: { retryable: true, summary: 'No Temporal server answers at the configured address.' },
  searchAttributesMissing: { retryable: true, summary: 'The Temporal namespace lacks search attributes that runs are started with.' },
  tooManyMessages: { retryable: true, summary: 'The run takes no more messages now: too many wait, or it has had as many as it may.' },
  notFound: { retryable: false, summary: 'There is no run, gate, key or route of that name.' },
  idTaken: { retryable: false, summary: 'The id asked for names a run of another tenant.' },
  unauthenticated: { retryable: false, summary: 'The API was called without a key that it knows or a token that it could verify.' },
  identityUnavailable: { retryable: true, summary: 'The issuer that vouches for people cannot be asked; nobody is let in on that.' },
  forbidden: { retryable: false, summary: 'The caller of the API is known, and may not do this.' },
  decisionRefused: { retryable: false, summary: 'A decision at a gate was refused; nothing was changed.' },
  repairRefused: { retryable: false, summary: 'A repair of a run was refused; nothing was changed.' },
  tooManyRequests: { retryable: true, summary: 'More requests wait for the API at once than it lets wait.' },
  apiUnavailable: { retryable: true, summary: 'No Tollgate API answers at the configured address.' },
  closedByTemporal: { retryable: false, summary: 'Temporal let the run time out or fail without an end of its own.' },
  invariantBroken: { retryable: true, summary: 'Something happened that must never happen; the run waits for a fix instead of losing state.' },
} as const satisfies Record<string, { readonly retryable: boolean; readonly summary: string }>;

export type FailureType = keyof typeof FAILURES;

/** An error with a type of the table. Its message says what happened, the value seen, and the next move. Never subclassed. */
export class TollgateError extends Error {
  readonly type: FailureType;
  constructor(type: FailureType, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TollgateError';
    this.type = type;
  }
}

/**
 * Holds or throws `invariantBroken`. In a workflow it fails the workflow task, so the run waits for a fix.
 * @throws TollgateError when `condition` is false.
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TollgateError('invariantBroken', `Invariant broken: ${message}. This is a defect in Tollgate; please report it.`);
}

/** For the end of a closed `switch`. @throws TollgateError always. */
export function assertNever(value: never): never {
  throw new TollgateError('invariantBroken', `Unhandled case ${JSON.stringify(value)}. This is a defect in Tollgate; please report it.`);
}
