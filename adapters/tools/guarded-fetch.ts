import type { IncomingMessage } from 'node:http';
import { pipeline, Readable, Transform } from 'node:stream';
import { guardedExchange } from './guarded-request.ts';

const BODILESS = new Set([204, 205, 304]);

/** `fetch` for a library that brings its own protocol: allowed addresses only, no redirects, a limit on every body. */
export function createGuardedFetch(options: { readonly allowLoopback: boolean; readonly maxBodyBytes: number }) {
  return async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    if (init.body !== undefined && init.body !== null && typeof init.body !== 'string') throw new TypeError('Only texts are sent.');
    const incoming = await guardedExchange(String(url), {
      method: (init.method ?? 'GET') as 'GET' | 'POST' | 'DELETE',
      headers: Object.fromEntries(new Headers(init.headers).entries()),
      ...(init.body ? { body: init.body } : {}),
      signal: init.signal ?? new AbortController().signal,
      allowLoopback: options.allowLoopback,
    });
    const status = incoming.statusCode ?? 500;
    const headers = headersOf(incoming);
    if (BODILESS.has(status)) {
      incoming.resume();
      return new Response(null, { status, headers });
    }
    const body = pipeline(incoming, limitBytes(options.maxBodyBytes), () => undefined);
    return new Response(Readable.toWeb(body) as ReadableStream, { status, headers });
  };
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) for (const value of values ?? []) headers.append(name, value);
  return headers;
}

function limitBytes(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(new Error(`the answer is larger than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}
