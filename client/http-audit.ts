import { TollgateError } from '../contracts/failures.ts';
import { type HttpAgentClientOptions, HttpTransport, toTollgateError } from './http-transport.ts';

/** No line of an export is longer, so that a server gone wild does not fill our memory. */
const MAX_LINE_LENGTH = 64_000_000;

/** What of the audit, as the API is asked for it: times as it takes them. */
export interface AuditQuery {
  readonly run?: string;
  readonly tenant?: string;
  readonly from?: string;
  readonly to?: string;
}

/** The lines of an export that a running API gives, each as JSON text. @throws TollgateError also where it breaks off. */
export async function* auditLines(api: HttpAgentClientOptions, query: AuditQuery): AsyncGenerator<string> {
  const path = '/v1/audit/export';
  try {
    const { body } = await new HttpTransport(api).open({ path, query: { ...query }, accept: 'application/x-ndjson' });
    let last = '';
    for await (const line of linesOf(body ?? new ReadableStream())) {
      yield line;
      last = line;
    }
    if (!last.startsWith('{"end":')) throw new TollgateError('apiUnavailable', `The API at ${api.url} broke off its export before the end. Run this again.`);
  } catch (error) {
    if (error instanceof TypeError)
      throw new TollgateError('apiUnavailable', `The connection to the API at ${api.url} was lost (${error.message}).`, { cause: error });
    throw toTollgateError(error);
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let buffer = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    buffer += chunk;
    if (buffer.length > MAX_LINE_LENGTH) throw new TollgateError('apiUnavailable', 'A line of the export is too long.');
    const lines = buffer.split('\n');
    buffer = lines.pop() ?? '';
    yield* lines;
  }
  if (buffer !== '') yield buffer;
}
