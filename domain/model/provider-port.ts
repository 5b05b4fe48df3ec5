import type { ErrorSignal, ModelReply, ModelRequest, TokenUsage } from '../../contracts/model.ts';

/** What every answer may bring, also an error. */
interface Answered {
  /** The provider's or gateway's own id of the request. */
  readonly providerRequestId?: string;
}

/** What came back from an endpoint. Never thrown: a failure is a value, because what it cost must be decided. */
export type ProviderResult = Answered & Came;

export type ProviderFailure = Extract<ProviderResult, { readonly type: 'failure' }>;

type Came =
  /** `usage` is null where the endpoint sent none: the reply is usable, its cost is not known. */
  | { readonly type: 'reply'; readonly reply: ModelReply; readonly usage: TokenUsage | null }
  /** The reply came and was paid for, but nothing can be done with it (empty choices, not JSON of the right shape). */
  | { readonly type: 'unusable'; readonly message: string; readonly usage: TokenUsage | null }
  | {
      readonly type: 'failure';
      readonly signal: ErrorSignal;
      readonly message: string;
      /** Work had begun: a piece of a stream had arrived, or the id of a background response. */
      readonly begun?: boolean;
      /** What it cost all the same, where the provider counted it. */
      readonly usage?: TokenUsage | null;
    };

/** How much of a streamed reply has arrived. Most providers make a piece of one token. */
export interface Progress {
  readonly bytes: number;
  readonly pieces: number;
}

/** Whom a call is for, and where it is in a trace: for gateways, which have headers for that. */
export interface CallContext {
  /** W3C's header: the place of the attempt. */
  readonly traceparent: string;
  /** What a run and its children have in common. */
  readonly session: string;
  readonly agentRunId: string;
  readonly attemptId: string;
  readonly step: number;
  readonly task: string;
  readonly tenant: string;
  readonly feature: string;
  readonly requester: string;
  readonly promptVersion: string;
}

export interface SendOptions {
  /** Aborts the wait. A background response is left running. */
  readonly signal: AbortSignal;
  /** Sent as the `X-Client-Request-Id` header and the request's metadata, so that a bill can be matched with the journal. */
  readonly clientRequestId: string;
  readonly context?: CallContext;
  /** Called with the id of a background response; awaited before the provider is asked for it again. */
  readonly onResponseId: (responseId: string) => Promise<void>;
  /** Called for every part of a streamed reply as it arrives. Must be quick. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called with the provider's own id of a request whose reply has begun to stream. */
  readonly onProviderRequestId?: (providerRequestId: string) => void;
}

export interface ModelEndpoint {
  /** UTF-8 bytes of the body that `send` would send, in the longest form that a tokenizer may make of it: a bound that costs nothing. */
  bodyBytes(request: ModelRequest): number;
  /** The most input tokens by the model's own tokenizer; null where that is not known. Costs time, so it is asked for where bytes do not fit. */
  tokenBound?(request: ModelRequest): Promise<number | null>;
  /** Sends once. Never retries by itself. */
  send(request: ModelRequest, options: SendOptions): Promise<ProviderResult>;
  /** Waits for a background response that was journalled earlier; `model` is the one that was asked, by its name on the wire. */
  awaitResponse(responseId: string, options: { readonly model: string; readonly signal: AbortSignal }): Promise<ProviderResult>;
  /** Asks the provider to stop a background response; what it cost until then comes from awaitResponse. */
  cancelResponse(responseId: string): Promise<void>;
  /** Removes a stored response for good; also where it is gone already. Absent where the endpoint keeps none. */
  deleteResponse?(responseId: string, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Absent where nothing at the endpoint can be asked. */
  readonly lookup?: AttemptLookup;
}

/** What an attempt may be known by in somebody's records. */
export interface AttemptReference {
  /** The `clientRequestId` it was sent with. */
  readonly clientRequestId: string;
  /** Id of the response at the provider, where one was journalled. */
  readonly responseId: string | null;
  /** The provider's or gateway's own id of the request, where an answer (also an error) brought one. */
  readonly providerRequestId: string | null;
  /** Earliest and latest moment it can have been sent, in milliseconds since 1970: records are asked for by day. */
  readonly sentBetweenMs: readonly [earliest: number, latest: number];
}

/** What the records say. Only a complete record decides about money; everything else leaves it held. */
export type LookupAnswer =
  /** The work is over and this is all it used; every count zero where it was not charged. */
  | { readonly type: 'found'; readonly usage: TokenUsage; readonly serviceTier: string | null; readonly record: string }
  /** These records would have the request if it had arrived. It may still arrive while a sender is alive. */
  | { readonly type: 'neverSeen'; readonly record: string }
  /** Nobody can tell (yet): still running, no usage in the record, no such record kept, no answer. */
  | { readonly type: 'unknown'; readonly reason: string };

/** Asks an endpoint what became of an attempt. Never throws and never sends it again: what goes wrong is `unknown`. */
export interface AttemptLookup {
  lookUp(attempt: AttemptReference, options: { readonly signal: AbortSignal }): Promise<LookupAnswer>;
}
