import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { chatChunks, chatCompletion } from './chat-reply.ts';
import { readChatRequest } from './chat-request.ts';
import type { Decision, Desk, Sender } from './desk.ts';
import { sendError, sendEvents, sendGarbage, sendJson } from './http-answer.ts';
import { readJsonBody } from './request-body.ts';
import { finalResponse } from './responses-reply.ts';
import { readResponsesRequest } from './responses-request.ts';
import { responseEvents } from './responses-stream.ts';
import { checkCallsAnswered, RefusedRequest, type WireRequest } from './wire-request.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly sender: Sender;
  /** Aborted when the provider stops. */
  readonly closing: AbortSignal;
}

/** Answers a request for a completion. @throws RefusedRequest where it breaks a rule; the bill has noted that. */
export async function complete(desk: Desk, api: WireRequest['api'], exchange: Exchange): Promise<void> {
  const { response, sender, closing } = exchange;
  const receivedAtMs = Date.now();
  let wire: WireRequest | null = null;
  let decision: Decision;
  try {
    const { json, bytes } = await readJsonBody(exchange.request);
    wire = api === 'chat' ? readChatRequest(json, bytes) : readResponsesRequest(json, bytes);
    checkCallsAnswered(wire);
    decision = desk.decide(wire, sender);
  } catch (error) {
    if (error instanceof RefusedRequest) desk.recordRefused(sender, api, wire);
    throw error;
  }
  if ('delayMs' in decision) await wait(decision.delayMs, undefined, { signal: closing });
  carryOut(decision, response, wire, receivedAtMs);
}

function carryOut(decision: Decision, response: ServerResponse, request: WireRequest, receivedAtMs: number): void {
  switch (decision.type) {
    case 'refuse':
      sendError(response, decision.error);
      break;
    case 'hang':
      break;
    case 'garbage':
      sendGarbage(response);
      break;
    case 'accepted':
      sendJson(response, 200, decision.response, decision.isCut);
      break;
    case 'reply':
      if (request.api === 'chat') sendChat(response, request, decision, receivedAtMs);
      else sendResponse(response, request, decision, receivedAtMs);
  }
}

type ReplyDecision = Extract<Decision, { type: 'reply' }>;

function sendChat(response: ServerResponse, request: WireRequest, { reply, isCut }: ReplyDecision, receivedAtMs: number): void {
  if (!request.stream) {
    sendJson(response, 200, chatCompletion(reply, receivedAtMs), isCut);
    return;
  }
  const chunks = chatChunks(reply, receivedAtMs, request.includeUsage).map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  sendEvents(response, [...chunks, 'data: [DONE]\n\n'], isCut);
}

function sendResponse(response: ServerResponse, request: WireRequest, { reply, isCut }: ReplyDecision, receivedAtMs: number): void {
  const final = finalResponse(reply, request, receivedAtMs, Date.now());
  if (!request.stream) {
    sendJson(response, 200, final, isCut);
    return;
  }
  const events = responseEvents(reply, final).map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  sendEvents(response, events, isCut);
}
