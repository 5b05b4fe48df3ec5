import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { TollgateError } from '../../../contracts/failures.ts';
import type { BillEntry } from './bill.ts';
import { type Campaign, DEFAULT_CAMPAIGN } from './campaign.ts';
import { chatChunks, chatCompletion } from './chat-reply.ts';
import { readChatRequest } from './chat-request.ts';
import { type Decision, Desk, type Sender } from './desk.ts';
import { sendError, sendEvents, sendGarbage, sendJson } from './http-answer.ts';
import { SIMULATED_MODELS } from './price-list.ts';
import { wireErrorOf } from './refusal.ts';
import { finalResponse } from './responses-reply.ts';
import { readResponsesRequest } from './responses-request.ts';
import { responseEvents } from './responses-stream.ts';
import { type ScenarioInput, scenarioSchema } from './scenario.ts';
import { checkCallsAnswered, RefusedRequest, type WireRequest } from './wire-request.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;
const MAX_CONNECTIONS = 2_048;
const RECEIVE_TIMEOUT_MS = 30_000;

export interface SimulatedProviderOptions extends Partial<Campaign> {
  /** 0 or unset takes a free port. */
  readonly port?: number;
  readonly billFile: string;
  /** The first one that matches a request is played. */
  readonly scenarios?: readonly ScenarioInput[];
}

export interface SimulatedProvider {
  /** Base URL of the API, `/v1` included. */
  readonly url: string;
  bill(): BillEntry[];
  /** Stops listening and drops every connection. Work under way stays on the bill. */
  close(): Promise<void>;
}

/**
 * Starts the simulated provider on 127.0.0.1, in this process. It goes on with the bill and the background responses of an
 * earlier one.
 * @throws the listen error where the port is taken; ZodError where a scenario has not its shape.
 */
export async function startSimulatedProvider(options: SimulatedProviderOptions): Promise<SimulatedProvider> {
  const scenarios = (options.scenarios ?? []).map((scenario) => scenarioSchema.parse(scenario));
  const { seed, faultRate, faultTypes, latencyMs } = { ...DEFAULT_CAMPAIGN, ...options };
  const desk = new Desk({ billFile: options.billFile, scenarios, campaign: { seed, faultRate, faultTypes, latencyMs } });
  const closing = new AbortController();
  const server = createServer({ requestTimeout: RECEIVE_TIMEOUT_MS }, (request, response) => void answer(desk, request, response, closing.signal));
  server.maxConnections = MAX_CONNECTIONS;
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  return {
    url: `http://127.0.0.1:${port}/v1`,
    bill: () => desk.bill.find(),
    async close() {
      closing.abort();
      desk.background.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(desk: Desk, request: IncomingMessage, response: ServerResponse, closing: AbortSignal): Promise<void> {
  const sender: Sender = { requestId: `req_sim${randomUUID().replaceAll('-', '')}`, clientRequestId: headerOf(request, 'x-client-request-id') };
  response.setHeader('x-tollgate-simulated', 'true');
  response.setHeader('x-request-id', sender.requestId);
  try {
    await route(desk, request, response, sender, closing);
  } catch (error) {
    if (closing.aborted) return;
    if (error instanceof RefusedRequest) sendError(response, wireErrorOf(error));
    else if (error instanceof TollgateError) sendJson(response, 503, { error: { message: error.message, type: 'server_error', param: null, code: error.type } });
    else if (!response.headersSent) sendJson(response, 500, { error: { message: `Defect in the simulated provider: ${String(error)}`, type: 'server_error', param: null, code: 'simulated_defect' } });
  }
}

async function route(desk: Desk, request: IncomingMessage, response: ServerResponse, sender: Sender, closing: AbortSignal): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://simulated');
  const path = url.pathname.replace(/^\/v1(?=\/)/, '');
  const [, topic = '', id = '', action = ''] = path.split('/').map(decodeURIComponent);
  const place = `${request.method} /${[topic, id && ':id', action].filter(Boolean).join('/')}`;
  if (path === '/chat/completions' && request.method === 'POST') return complete(desk, await read(desk, request, sender, readChatRequest), response, sender, closing);
  switch (place) {
    case 'POST /responses':
      return complete(desk, await read(desk, request, sender, readResponsesRequest), response, sender, closing);
    case 'GET /responses/:id':
      return sendStored(response, id, desk.background.get(id));
    case 'POST /responses/:id/cancel':
      return sendStored(response, id, desk.background.cancel(id));
    case 'GET /models':
      return sendJson(response, 200, { object: 'list', data: Object.keys(SIMULATED_MODELS).map(modelCard) });
    case 'GET /bill': {
      const filter = { clientRequestId: url.searchParams.get('clientRequestId') ?? undefined, conversation: url.searchParams.get('conversation') ?? undefined };
      return sendJson(response, 200, { entries: desk.bill.find(filter) });
    }
    case 'GET /requests/:id':
      return sendRecord(desk, response, id);
    default:
      throw new RefusedRequest(404, `Unknown request URL: ${request.method} ${url.pathname}.`, 'unknown_url');
  }
}

async function read(desk: Desk, request: IncomingMessage, sender: Sender, parse: (body: unknown, bytes: number) => WireRequest): Promise<WireRequest> {
  let parsed: WireRequest | null = null;
  try {
    const body = await readBody(request);
    parsed = parse(parseJson(body), body.length);
    checkCallsAnswered(parsed);
    return parsed;
  } catch (error) {
    if (error instanceof RefusedRequest) desk.recordRefused(sender, parsed);
    throw error;
  }
}

async function complete(desk: Desk, request: WireRequest, response: ServerResponse, sender: Sender, closing: AbortSignal): Promise<void> {
  const receivedAtMs = Date.now();
  const decision = desk.decide(request, sender);
  switch (decision.type) {
    case 'refuse':
      return sendError(response, decision.error);
    case 'hang':
      return;
    case 'garbage':
      await wait(decision.delayMs, undefined, { signal: closing });
      return sendGarbage(response);
    case 'accepted':
      return sendJson(response, 200, decision.response, decision.isCut);
    case 'reply':
      await wait(decision.delayMs, undefined, { signal: closing });
      return sendReply(response, request, decision, receivedAtMs);
  }
}

function sendReply(response: ServerResponse, request: WireRequest, { reply, isCut }: Extract<Decision, { type: 'reply' }>, receivedAtMs: number): void {
  if (request.api === 'chat') {
    if (!request.stream) return sendJson(response, 200, chatCompletion(reply, receivedAtMs), isCut);
    const chunks = chatChunks(reply, receivedAtMs, request.includeUsage).map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    return sendEvents(response, [...chunks, 'data: [DONE]\n\n'], isCut);
  }
  const final = finalResponse(reply, request, receivedAtMs, Date.now());
  if (!request.stream) return sendJson(response, 200, final, isCut);
  sendEvents(response, responseEvents(reply, final).map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`), isCut);
}

function sendStored(response: ServerResponse, id: string, stored: unknown): void {
  if (!stored) throw new RefusedRequest(404, `Response with id '${id}' not found.`, null, null);
  sendJson(response, 200, stored);
}

/** What a request did and cost, for whoever has to reconcile. */
function sendRecord(desk: Desk, response: ServerResponse, clientRequestId: string): void {
  const entries = desk.bill.find({ clientRequestId });
  const pending = desk.background.unbilled().filter((entry) => entry.clientRequestId === clientRequestId);
  if (entries.length + pending.length === 0) throw new RefusedRequest(404, `never seen: no request with x-client-request-id '${clientRequestId}'.`, 'never_seen');
  const nanoUsd = entries.reduce((sum, entry) => sum + entry.nanoUsd, 0);
  const status = pending.length > 0 ? 'inProgress' : nanoUsd > 0 ? 'charged' : 'notCharged';
  const responseIds = [...entries, ...pending].flatMap((entry) => (entry.responseId === undefined ? [] : [entry.responseId]));
  sendJson(response, 200, { clientRequestId, status, nanoUsd, responseIds, entries });
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // The rest is read and dropped: a connection closed on a sending client would hide the answer from it.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) throw new RefusedRequest(413, `The body has ${bytes} bytes; at most ${MAX_BODY_BYTES} are taken.`, 'request_too_large');
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new RefusedRequest(400, 'We could not parse the JSON body of your request.', 'invalid_json');
  }
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function modelCard(id: string): object {
  return { id, object: 'model', created: 1_760_000_000, owned_by: 'simulated' };
}
