import type { IncomingMessage } from 'node:http';
import { RefusedRequest } from './wire-request.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** The body and its length in bytes. @throws RefusedRequest 413 above 4 MiB, 400 where it is no JSON. */
export async function readJsonBody(request: IncomingMessage): Promise<{ readonly json: unknown; readonly bytes: number }> {
  const body = await readBody(request);
  return { json: parseJson(body), bytes: body.length };
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
