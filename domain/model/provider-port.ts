import type { ErrorSignal, ModelReply, ModelRequest, TokenUsage } from '../../contracts/model.ts';

/** What came back from an endpoint. Never thrown: a failure is a value, because what it cost must be decided. */
export type ProviderResult =
  /** `usage` is null where the endpoint sent none: the reply is usable, its cost is not known. */
  | { readonly type: 'reply'; readonly reply: ModelReply; readonly usage: TokenUsage | null }
  /** The reply came and was paid for, but nothing can be done with it (empty choices, not JSON of the right shape). */
  | { readonly type: 'unusable'; readonly message: string; readonly usage: TokenUsage | null }
  | { readonly type: 'failure'; readonly signal: ErrorSignal; readonly message: string };

export interface SendOptions {
  /** Aborts the wait. A background response is left running; whoever recovers fetches it. */
  readonly signal: AbortSignal;
  /** Sent as the `X-Client-Request-Id` header and the request's metadata, so that a bill can be matched with the journal. */
  readonly clientRequestId: string;
  /** Called with the id of a background response; awaited before the provider is asked for it again. */
  readonly onResponseId: (responseId: string) => Promise<void>;
}

export interface ModelEndpoint {
  /** UTF-8 bytes of the body that `send` would send: what the input bound is computed from. */
  bodyBytes(request: ModelRequest): number;
  /** Sends once. Never retries by itself. */
  send(request: ModelRequest, options: SendOptions): Promise<ProviderResult>;
  /** Waits for a background response that was journalled earlier. */
  awaitResponse(responseId: string, options: { readonly signal: AbortSignal }): Promise<ProviderResult>;
  /** Asks the provider to stop a background response; what it cost until then comes from awaitResponse. */
  cancelResponse(responseId: string): Promise<void>;
}
