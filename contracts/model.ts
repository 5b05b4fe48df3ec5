import type { NanoUsd } from './budget.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { ToolCallId } from './ids.ts';

/** Which of OpenAI's two request shapes an endpoint speaks. */
export type ModelApi = 'chat' | 'responses';

/** What a try of a model came to. Exactly one of these, `ok` for a usable reply. */
export type OutcomeClass =
  | 'ok'
  | 'rateLimited'
  | 'quotaExhausted'
  | 'overloaded'
  | 'serverError'
  | 'timeout'
  | 'connectionLost'
  | 'contextLengthExceeded'
  | 'contentFiltered'
  | 'authentication'
  | 'permission'
  | 'badRequest'
  | 'modelNotFound'
  | 'invalidResponse'
  | 'refusal'
  | 'outputTruncated'
  | 'budgetDenied';

export type Billed = 'yes' | 'no' | 'unknown';

/** What is known of a failed try: the row of the error table that it matched. */
export interface ErrorVerdict {
  readonly class: OutcomeClass;
  readonly retrySameModel: boolean;
  readonly nextCandidate: boolean;
  readonly billed: Billed;
  /** How long the provider asks us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * Why a candidate was passed over: its endpoint is failing, the request is larger than its context, a budget of the run or
 * its parents has not enough left, or a quota has not.
 */
export type SkipReason = 'breakerOpen' | 'contextTooSmall' | 'budgetDenied' | 'quotaDenied';

/** Everything a classifier may look at. Filled by the provider adapter from whatever went wrong. */
export interface ErrorSignal {
  readonly provider?: string;
  readonly status?: number;
  /** Lower-cased names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The parsed body where it is JSON, else its text. */
  readonly body?: JsonValue;
  readonly transport?: TransportFault;
}

export type TransportFault = 'timeout' | 'ECONNREFUSED' | 'ECONNRESET' | 'ENOTFOUND' | 'TLS';

/**
 * Tokens of one call. `inputTokens` includes cached reads and cache writes; `outputTokens` includes reasoning. The optional
 * counts are parts of those, where a provider reports them.
 */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** Of `cacheWriteTokens`: those that live for an hour. */
  readonly cacheWriteOneHourTokens?: number;
  readonly audioInputTokens?: number;
  /** Of both `audioInputTokens` and `cachedInputTokens`. */
  readonly cachedAudioInputTokens?: number;
  readonly audioOutputTokens?: number;
  readonly imageInputTokens?: number;
  /** Of both `imageInputTokens` and `cachedInputTokens`. */
  readonly cachedImageInputTokens?: number;
  readonly imageOutputTokens?: number;
  /** What the reply says that the call cost, in nano-USD. Counts only where the price table says so. */
  readonly reportedNanoUsd?: NanoUsd;
}

export interface ModelToolCall {
  readonly toolCallId: ToolCallId;
  readonly name: string;
  /** As the model wrote them; may not be JSON. */
  readonly argumentsText: string;
  /** What redaction found in the arguments and keeps out of tools: the call is answered and never carried out. */
  readonly blocked?: readonly string[];
}

export type TranscriptMessage =
  | { readonly role: 'system' | 'user'; readonly text: string }
  | {
      readonly role: 'assistant';
      readonly text: string | null;
      readonly toolCalls: readonly ModelToolCall[];
      /** Provider items that must be sent back unchanged to the same model and api (reasoning items of `responses`). */
      readonly providerItems?: readonly JsonValue[];
      /** Model and api that made `providerItems`; they are left out for any other. */
      readonly providerItemsFor?: string;
    }
  | {
      readonly role: 'tool';
      readonly toolCallId: ToolCallId;
      readonly name: string;
      readonly text: string;
      readonly isError: boolean /** Set where the text came from outside: what was suspicious about it. */;
      readonly flags?: readonly string[];
    };

export interface ToolSchema {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
}

export interface OutputFormat {
  readonly name: string;
  readonly schema: JsonObject;
  /** Whether the provider is asked to guarantee the schema. Only where it is within what providers can guarantee. */
  readonly strict: boolean;
}

/** A request in our own words, mapped once to the wire by the provider adapter. */
export interface ModelRequest {
  readonly model: string;
  readonly api: ModelApi;
  readonly messages: readonly TranscriptMessage[];
  readonly tools: readonly ToolSchema[];
  /** `none` forbids tool calls while the tools are still named, as some endpoints demand of a transcript that used them. */
  readonly toolChoice?: 'none';
  /** The JSON Schema that a final answer must fit. Turns that call tools are not affected. */
  readonly outputFormat?: OutputFormat;
  readonly maxOutputTokens: number;
  /** Whether the provider may store the response, which background responses need. */
  readonly background: boolean;
  /** Whether the reply is asked for as a stream, with its usage. A background response is not. */
  readonly stream?: boolean;
}

export type FinishReason = 'stop' | 'toolCalls' | 'length' | 'contentFilter' | 'other';

/** A reply in our own words, mapped once from the wire by the provider adapter. */
export interface ModelReply {
  readonly text: string | null;
  readonly refusal: string | null;
  readonly toolCalls: readonly ModelToolCall[];
  readonly finishReason: FinishReason;
  readonly responseId: string | null;
  readonly responseModel: string | null;
  readonly serviceTier: string | null;
  readonly providerItems?: readonly JsonValue[];
  /** `<api>:<model>` that made `providerItems`. */
  readonly providerItemsFor?: string;
  /** What redaction found in the text and policy lets go nowhere: the step ends. */
  readonly blocked?: readonly string[];
}
