import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TollgateError } from '../../../contracts/failures.ts';
import { complete, type Exchange } from './completion.ts';
import type { Desk } from './desk.ts';
import { sendError, sendJson } from './http-answer.ts';
import { SIMULATED_MODELS } from './price-list.ts';
import { wireErrorOf } from './refusal.ts';
import { RefusedRequest } from './wire-request.ts';

/** Answers one HTTP request. Never throws. `closing` is aborted when the provider stops. */
export async function answerRequest(desk: Desk, request: IncomingMessage, response: ServerResponse, closing: AbortSignal): Promise<void> {
  const sender = { requestId: `req_sim${randomUUID().replaceAll('-', '')}`, clientRequestId: headerOf(request, 'x-client-request-id') };
  response.setHeader('x-tollgate-simulated', 'true');
  response.setHeader('x-request-id', sender.requestId);
  try {
    await route(desk, { request, response, sender, closing });
  } catch (error) {
    if (closing.aborted || (request.destroyed && !request.complete)) response.destroy();
    else if (error instanceof RefusedRequest) sendError(response, wireErrorOf(error));
    else sendDefect(response, error);
  }
}

async function route(desk: Desk, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  const url = new URL(request.url ?? '/', 'http://simulated');
  const [, topic = '', id = '', action = ''] = url.pathname
    .replace(/^\/v1(?=\/)/, '')
    .split('/')
    .map(decodeSegment);
  const place = `${request.method} /${topic}${id && (topic === 'chat' ? `/${id}` : '/:id')}${action && `/${action}`}`;
  switch (place) {
    case 'POST /chat/completions':
      return await complete(desk, 'chat', exchange);
    case 'POST /responses':
      return await complete(desk, 'responses', exchange);
    case 'GET /responses/:id':
      return sendStored(response, id, desk.background.get(id));
    case 'DELETE /responses/:id':
      return sendStored(response, id, desk.background.delete(id));
    case 'POST /responses/:id/cancel':
      return sendStored(response, id, desk.background.cancel(id));
    case 'GET /models':
      return sendJson(response, 200, { object: 'list', data: Object.keys(SIMULATED_MODELS).map(modelCard) });
    case 'GET /bill':
      return sendJson(response, 200, desk.bill.find({ clientRequestId: parameter(url, 'clientRequestId'), conversation: parameter(url, 'conversation') }));
    case 'GET /requests/:id':
      return sendRecord(desk, response, id);
    default:
      throw new RefusedRequest(404, `Unknown request URL: ${request.method} ${url.pathname}.`, 'unknown_url');
  }
}

function sendDefect(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const isExpected = error instanceof TollgateError;
  const message = isExpected ? error.message : `Defect in the simulated provider: ${String(error)}`;
  sendJson(response, isExpected ? 503 : 500, { error: { message, type: 'server_error', param: null, code: isExpected ? error.type : 'simulated_defect' } });
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function sendStored(response: ServerResponse, id: string, stored: unknown): void {
  if (!stored) throw new RefusedRequest(404, `Response with id '${id}' not found.`, null, null);
  sendJson(response, 200, stored);
}

/** What a request did and cost, for whoever has to reconcile. */
function sendRecord(desk: Desk, response: ServerResponse, clientRequestId: string): void {
  const entries = desk.bill.find({ clientRequestId });
  const pending = desk.background.unbilled().filter((entry) => entry.clientRequestId === clientRequestId);
  if (entries.length + pending.length === 0)
    throw new RefusedRequest(404, `never seen: no request with x-client-request-id '${clientRequestId}'.`, 'never_seen');
  const nanoUsd = entries.reduce((sum, entry) => sum + entry.nanoUsd, 0);
  const status = pending.length > 0 ? 'inProgress' : nanoUsd > 0 ? 'charged' : 'notCharged';
  const responseIds = [...entries, ...pending].flatMap((entry) => (entry.responseId === undefined ? [] : [entry.responseId]));
  sendJson(response, 200, { clientRequestId, status, nanoUsd, responseIds, entries });
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : null;
}

function modelCard(id: string): object {
  return { id, object: 'model', created: 1_760_000_000, owned_by: 'simulated' };
}

function parameter(url: URL, name: string): string | undefined {
  return url.searchParams.get(name) ?? undefined;
}
