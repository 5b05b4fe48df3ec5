import OpenAI from 'openai';
import type { ModelApi, ModelRequest } from '../../../contracts/model.ts';
import type { CallContext, ModelEndpoint, ProviderResult, SendOptions } from '../../../domain/model/provider-port.ts';
import { tokenBound } from '../../../domain/budget/input-bound.ts';
import { type Encoding, longestFormBytes, measureOf } from '../../tokenizers/openai-tokenizer.ts';
import { fetchWithCallId } from '../records/litellm-records.ts';
import { type RecordsKind, recordsOf } from '../records/records.ts';
import { isFromGatewayCache, wasTriedByGateway } from '../../../domain/model/gateway-tries.ts';
import { readBody } from './answer-body.ts';
import { awaitBackground } from './background.ts';
import { chatBody, readChatCompletion } from './chat-mapping.ts';
import { readChatStream } from './chat-stream.ts';
import type { Dialect } from './dialect.ts';
import { isOpenAiUrl } from './dialect.ts';
import { errorInBody } from './error-inside.ts';
import { toFailure } from './failure.ts';
import { type GatewayKind, gatewayHeaders } from './gateway-headers.ts';
import { withGatewayCost } from './gateway-cost.ts';
import { providerRequestIdOf } from './request-id.ts';
import { readResponse, responsesBody } from './responses-mapping.ts';
import { readResponseStream } from './responses-stream.ts';

const OPENAI_URL = 'https://api.openai.com/v1';
const DEFAULT_IDLE_TIMEOUT_MS = 60_000;
/** The client's own timeout never fires: the caller's signal decides. */
const NO_TIMEOUT_MS = 3_600_000;

export interface OpenAiEndpointOptions {
  /** Unset: OpenAI's own. */
  readonly baseUrl?: string;
  readonly apiKey: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly api: ModelApi;
  /** Who runs it, where errors mean something else at some providers. */
  readonly provider?: string;
  /** Whether the server takes every parameter that OpenAI takes. Default: by the base URL. */
  readonly isOpenAi?: boolean;
  /** The tokenizer of a model by its name on the wire; null where it is not known. */
  readonly encodingOf?: (model: string) => Encoding | null;
  /** Whose headers say whom a call is for. Default: nobody's, and OpenAI itself is told nothing. */
  readonly gateway?: GatewayKind;
  /** Where its records of past calls can be asked for. Default: nowhere. */
  readonly records?: RecordsKind;
  /** Longest silence in the middle of a streamed answer, in milliseconds. Default: a minute. */
  readonly streamIdleTimeoutMs?: number;
}

/** An OpenAI-compatible server, through the `openai` client. Sends once: retries are the workflow's. */
export function createOpenAiEndpoint(options: OpenAiEndpointOptions): ModelEndpoint {
  const dialect: Dialect = { isOpenAi: options.isOpenAi ?? isOpenAiUrl(options.baseUrl) };
  const client = new OpenAI({
    apiKey: options.apiKey,
    // null keeps the client from reading OPENAI_BASE_URL itself: settings come from config.
    baseURL: options.baseUrl ?? OPENAI_URL,
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    ...(options.records === 'litellm' ? { fetch: fetchWithCallId } : {}),
    ...(options.headers ? { defaultHeaders: { ...options.headers } } : {}),
  });
  const idleTimeoutMs = options.streamIdleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS;
  const isOpenAi = isOpenAiUrl(options.baseUrl);
  const texts = new WeakMap<ModelRequest, string>();
  /** The body as it is sent. What is measured and what is sent is the same text, written once. */
  const textOf = (request: ModelRequest): string => {
    const text = texts.get(request) ?? JSON.stringify(request.api === 'chat' ? chatBody(request, dialect) : responsesBody(request, dialect));
    texts.set(request, text);
    return text;
  };
  const named = (result: ProviderResult): ProviderResult =>
    result.type === 'failure' && options.provider !== undefined ? { ...result, signal: { provider: options.provider, ...result.signal } } : result;
  const headersOf = (context: CallContext | undefined) => (context && !isOpenAi ? gatewayHeaders(options.gateway ?? 'none', context) : {});
  const baseUrl = (options.baseUrl ?? OPENAI_URL).replace(/\/+$/, '');
  const lookup = recordsOf(options.records ?? 'none', { baseUrl, headers: { ...options.headers, authorization: `Bearer ${options.apiKey}` } });
  return {
    ...(lookup ? { lookup } : {}),
    bodyBytes: (request) => longestFormBytes(textOf(request)),
    tokenBound: async (request) => {
      const encoding = options.encodingOf?.(request.model) ?? null;
      return encoding ? tokenBound(longestFormBytes(textOf(request)), request, await measureOf(encoding)) : null;
    },
    send: async (request, sendOptions) => named(await guarded(() => send({ client, idleTimeoutMs, headersOf }, request, textOf(request), sendOptions))),
    awaitResponse: async (responseId, { model, signal }) => named(await guarded(() => awaitBackground(client, responseId, model, signal))),
    cancelResponse: async (responseId) => {
      await client.responses.cancel(responseId).asResponse();
    },
    deleteResponse: async (responseId, { signal }) => {
      await client.responses.delete(responseId, { signal }).catch((error: unknown) => {
        if (!(error instanceof OpenAI.NotFoundError)) throw error;
      });
    },
  };
}

async function guarded(body: () => Promise<ProviderResult>): Promise<ProviderResult> {
  try {
    return await body();
  } catch (error) {
    return toFailure(error);
  }
}

interface Line {
  readonly client: OpenAI;
  readonly idleTimeoutMs: number;
  readonly headersOf: (context: CallContext | undefined) => Record<string, string>;
}

/** Through the client's own `post`: its `create` would write the body a second time, with a callback for every value in it. */
async function send(line: Line, request: ModelRequest, body: string, options: SendOptions): Promise<ProviderResult> {
  const headers = { ...line.headersOf(options.context), 'Content-Type': 'application/json', 'X-Client-Request-Id': options.clientRequestId };
  const path = request.api === 'chat' ? '/chat/completions' : '/responses';
  const answer = await line.client.post(path, { body, headers, signal: options.signal }).asResponse();
  const known = providerRequestIdOf(answer.headers);
  try {
    const header = (name: string) => answer.headers.get(name);
    const counted = wasTriedByGateway(header) || isFromGatewayCache(header) ? { usage: null } : {};
    if (!request.stream || !isEventStream(answer))
      return { ...known, ...withGatewayCost(await readWhole(line, request, answer, options), answer.headers), ...counted };
    if (known.providerRequestId !== undefined) options.onProviderRequestId?.(known.providerRequestId);
    const streaming = { signal: options.signal, idleTimeoutMs: line.idleTimeoutMs, onProgress: options.onProgress };
    const result = await (request.api === 'chat' ? readChatStream(answer, streaming) : readResponseStream(answer, request.model, streaming));
    return { ...known, ...withGatewayCost(result, answer.headers), ...counted };
  } catch (error) {
    return { ...known, ...toFailure(error) };
  }
}

async function readWhole({ client }: Line, request: ModelRequest, answer: Response, options: SendOptions): Promise<ProviderResult> {
  const body = await readBody(answer);
  const error = errorInBody(body);
  if (error) return error;
  if (request.api === 'chat') return readChatCompletion(body.json);
  const read = readResponse(body.json, request.model);
  if (read.type === 'ended') return read.result;
  await options.onResponseId(read.responseId);
  return awaitBackground(client, read.responseId, request.model, options.signal);
}

/** A server that knows no streams, or a page of something on the way, answers in one piece. */
function isEventStream(answer: Response): boolean {
  return !/json|html/.test(answer.headers.get('content-type') ?? '');
}
