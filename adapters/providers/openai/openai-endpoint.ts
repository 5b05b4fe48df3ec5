import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import type { ModelApi, ModelRequest } from '../../../contracts/model.ts';
import type { ModelEndpoint, ProviderResult, SendOptions } from '../../../domain/model/provider-port.ts';
import { chatBody, readChatCompletion } from './chat-mapping.ts';
import type { Dialect } from './dialect.ts';
import { isOpenAiUrl } from './dialect.ts';
import { toFailure } from './failure.ts';
import { readResponse, responsesBody } from './responses-mapping.ts';

const FIRST_POLL_MS = 250;
const SLOWEST_POLL_MS = 2_000;
/** The client's own timeout never fires: the caller's signal decides. */
const NO_TIMEOUT_MS = 3_600_000;

export interface OpenAiEndpointOptions {
  /** Unset: OpenAI's own. */
  readonly baseUrl?: string;
  readonly apiKey: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly api: ModelApi;
  /** Whether the server takes every parameter that OpenAI takes. Default: by the base URL. */
  readonly isOpenAi?: boolean;
}

/** An OpenAI-compatible server, through the `openai` client. Sends once: retries are the workflow's. */
export function createOpenAiEndpoint(options: OpenAiEndpointOptions): ModelEndpoint {
  const dialect: Dialect = { isOpenAi: options.isOpenAi ?? isOpenAiUrl(options.baseUrl) };
  const client = new OpenAI({
    apiKey: options.apiKey,
    // null keeps the client from reading OPENAI_BASE_URL itself: settings come from config.
    baseURL: options.baseUrl ?? 'https://api.openai.com/v1',
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    ...(options.headers ? { defaultHeaders: { ...options.headers } } : {}),
  });
  const bodyOf = (request: ModelRequest) => (request.api === 'chat' ? chatBody(request, dialect) : responsesBody(request, dialect));
  return {
    bodyBytes: (request) => Buffer.byteLength(JSON.stringify(bodyOf(request)), 'utf8'),
    send: (request, sendOptions) => guarded(() => send(client, request, bodyOf(request), sendOptions)),
    awaitResponse: (responseId, { signal }) => guarded(() => poll(client, responseId, null, signal)),
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

async function send(
  client: OpenAI,
  request: ModelRequest,
  body: ReturnType<typeof chatBody> | ReturnType<typeof responsesBody>,
  options: SendOptions,
): Promise<ProviderResult> {
  const requestOptions = { signal: options.signal, headers: { 'X-Client-Request-Id': options.clientRequestId } };
  if ('messages' in body) return readChatCompletion(await readJson(await client.chat.completions.create(body, requestOptions).asResponse()));
  const read = readResponse(await readJson(await client.responses.create(body, requestOptions).asResponse()), request);
  if (read.type === 'ended') return read.result;
  await options.onResponseId(read.responseId);
  return poll(client, read.responseId, request, options.signal);
}

async function poll(client: OpenAI, responseId: string, request: ModelRequest | null, signal: AbortSignal): Promise<ProviderResult> {
  for (let pauseMs = FIRST_POLL_MS; ; pauseMs = Math.min(SLOWEST_POLL_MS, pauseMs * 1.5)) {
    const read = readResponse(await readJson(await client.responses.retrieve(responseId, {}, { signal }).asResponse()), request);
    if (read.type === 'ended') return read.result;
    await sleep(pauseMs, undefined, { signal });
  }
}

/** The body as JSON; undefined, which no mapping takes for a reply, where it is none. */
async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
