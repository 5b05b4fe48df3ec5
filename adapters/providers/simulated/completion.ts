import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { chatChunks, chatCompletion } from './chat-reply.ts';
import { readChatRequest } from './chat-request.ts';
import type { Decision, Desk, Sender } from './desk.ts';
import { sendError, sendEvents, sendGarbage, sendJson } from './http-answer.ts';
import type { Reply } from './reply.ts';
import { readJsonBody } from './request-body.ts';
import { finalResponse } from './responses-reply.ts';
import { readResponsesRequest } from './responses-request.ts';
import { responseEvents } from './responses-stream.ts';
import { playStream, type StreamEvent } from './stream.ts';
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
  if (decision.type === 'stream') await sendStream(response, wire, decision, receivedAtMs, closing);
  else carryOut(decision, response, wire, receivedAtMs);
}

function carryOut(decision: Exclude<Decision, { type: 'stream' }>, response: ServerResponse, request: WireRequest, receivedAtMs: number): void {
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
  if (request.stream) sendEvents(response, texts(eventsOf(reply, request, receivedAtMs)), isCut);
  else sendJson(response, 200, chatCompletion(reply, receivedAtMs), isCut);
}

function sendResponse(response: ServerResponse, request: WireRequest, { reply, isCut }: ReplyDecision, receivedAtMs: number): void {
  if (request.stream) sendEvents(response, texts(eventsOf(reply, request, receivedAtMs)), isCut);
  else sendJson(response, 200, finalResponse(reply, request, receivedAtMs, Date.now()), isCut);
}

type StreamDecision = Extract<Decision, { type: 'stream' }>;

async function sendStream(response: ServerResponse, request: WireRequest, decision: StreamDecision, receivedAtMs: number, closing: AbortSignal): Promise<void> {
  const { reply, fault, charge } = decision;
  const errorEvent = (code: string) => {
    const error = { message: 'The server had an error in the middle of its work.', type: 'server_error', param: null, code };
    return request.api === 'chat'
      ? `data: ${JSON.stringify({ error })}\n\n`
      : `event: error\ndata: ${JSON.stringify({ ...error, type: 'error', sequence_number: 0 })}\n\n`;
  };
  await playStream(response, { events: eventsOf(reply, request, receivedAtMs), fault, errorEvent, charge }, closing);
}

/** Everything that a streamed reply is, as it goes over the wire. */
function eventsOf(reply: Reply, request: WireRequest, receivedAtMs: number): StreamEvent[] {
  if (request.api === 'responses')
    return responseEvents(reply, finalResponse(reply, request, receivedAtMs, Date.now())).map((event) => ({
      text: `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
      isPiece: event.type.endsWith('.delta'),
    }));
  const chunks = chatChunks(reply, receivedAtMs, request.includeUsage).map(({ chunk, isPiece }) => ({ text: `data: ${JSON.stringify(chunk)}\n\n`, isPiece }));
  return [...chunks, { text: 'data: [DONE]\n\n', isPiece: false }];
}

function texts(events: readonly StreamEvent[]): string[] {
  return events.map(({ text }) => text);
}
