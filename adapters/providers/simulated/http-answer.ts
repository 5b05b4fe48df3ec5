import type { ServerResponse } from 'node:http';
import type { WireError } from './refusal.ts';

/** Sends JSON. With `isCut`, half of it goes out and the connection is destroyed. */
export function sendJson(response: ServerResponse, status: number, body: unknown, isCut = false): void {
  sendText(response, status, 'application/json', JSON.stringify(body), isCut);
}

/** Sends an error in OpenAI's shape. */
export function sendError(response: ServerResponse, error: WireError): void {
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
  sendJson(response, error.status, error.body);
}

/** Sends what no client can read: a page in place of JSON. */
export function sendGarbage(response: ServerResponse): void {
  sendText(response, 200, 'application/json', '<html><body>upstream said something el', false);
}

/** Sends server-sent events; each is its lines, ready for the wire. With `isCut`, half of them go out. */
export function sendEvents(response: ServerResponse, events: readonly string[], isCut: boolean): void {
  sendText(response, 200, 'text/event-stream; charset=utf-8', events.slice(0, isCut ? Math.ceil(events.length / 2) : events.length).join(''), isCut, true);
}

function sendText(response: ServerResponse, status: number, contentType: string, text: string, isCut: boolean, isStream = false): void {
  if (response.destroyed) return;
  const length = isStream ? {} : { 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, { 'content-type': contentType, ...length });
  if (!isCut) response.end(text);
  else response.write(isStream ? text : Buffer.from(text).subarray(0, Math.floor(Buffer.byteLength(text) / 2)), () => response.destroy());
}
