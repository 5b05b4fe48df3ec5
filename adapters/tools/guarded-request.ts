import { lookup } from 'node:dns';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { JsonValue } from '../../contracts/json.ts';
import { isAllowedAddress } from './allowed-address.ts';

const MAX_RESPONSE_BYTES = 1_048_576;

export interface GuardedOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
  readonly allowLoopback: boolean;
}

export interface GuardedResponse {
  readonly status: number;
  /** Undefined where the body is no JSON. */
  readonly json: JsonValue | undefined;
  readonly text: string;
}

/** The request can't or must not be made as configured; certainly nothing was sent. */
export class NotSentError extends Error {}

/** One HTTP request with its whole answer, by `guardedExchange`. */
export async function guardedRequest(url: string, options: GuardedOptions): Promise<GuardedResponse> {
  return await readBody(await guardedExchange(url, options));
}

/**
 * One HTTP request to an address that was checked and then pinned: the name is resolved once, in the connection itself,
 * so that a second answer of the name server can't lead elsewhere. Redirects are not followed.
 * @throws NotSentError where the address is not allowed; other errors where no answer came.
 */
export function guardedExchange(url: string, options: GuardedOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const target = checkedTarget(url, options);
    const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
    const { method, headers, signal, body, allowLoopback } = options;
    // An agent of its own: a connection that somebody else opened was not checked.
    const outgoing = prepared(() => send(target, { method, headers, signal, lookup: checkedLookup(target, allowLoopback), agent: false }));
    outgoing.on('response', (response) => {
      // Whoever reads it hears of a cut; until somebody does, that must not end the process.
      response.on('error', () => undefined);
      resolve(response);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function checkedTarget(url: string, { allowLoopback, signal }: GuardedOptions): URL {
  const target = new URL(url);
  if (target.protocol !== 'http:' && target.protocol !== 'https:')
    throw new NotSentError(`Tools are reached by http or https, not by ${target.protocol} Nothing was sent.`);
  if (target.username !== '' || target.password !== '')
    throw new NotSentError(`The URL of ${target.host} has credentials in it; name secrets in "secretHeaders" instead. Nothing was sent.`);
  if (signal.aborted) throw new NotSentError('The time for the call was over before it began. Nothing was sent.');
  const host = target.hostname.replace(/^\[|\]$/g, '');
  // An address in place of a name is never looked up.
  if (isIP(host) !== 0 && !isAllowedAddress(host, allowLoopback)) throw refusal(host, target);
  return target;
}

/** Headers that HTTP can't carry make it throw; the message names the header, never its value. */
function prepared(make: () => ClientRequest): ClientRequest {
  try {
    return make();
  } catch (error) {
    throw new NotSentError(`The request can't be made: ${(error as Error).message}. Nothing was sent.`);
  }
}

function checkedLookup(target: URL, allowLoopback: boolean): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const wrong = addresses.find(({ address }) => !isAllowedAddress(address, allowLoopback));
      const [first] = addresses;
      if (wrong || !first) return callback(refusal(wrong?.address ?? 'unknown', target), '', 0);
      if (lookupOptions.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}

function refusal(address: string, target: URL): NotSentError {
  return new NotSentError(`The address ${address} of ${target.host} is private or on this machine; tools may not go there. Nothing was sent.`);
}

/** The whole body, at most 1 MiB. Beyond that a success can't be read; the status of a failure says enough. */
async function readBody(response: IncomingMessage): Promise<GuardedResponse> {
  const status = response.statusCode ?? 0;
  const isSuccess = status >= 200 && status < 300;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_RESPONSE_BYTES) throw new Error(`the answer is larger than ${MAX_RESPONSE_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (isSuccess) throw error;
  }
  const text = new TextDecoder('utf-8', { fatal: isSuccess }).decode(Buffer.concat(chunks));
  return { status, json: parse(text), text };
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
}
