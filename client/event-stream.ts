/** One server-sent event. */
export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
}

/** No event is longer than this, so that a server gone wild does not fill our memory. */
const MAX_EVENT_LENGTH = 64_000_000;

/** Reads server-sent events off a body, by the rules of the HTML standard. Comments (heartbeats) come as event `comment`. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  let buffer = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    buffer += chunk;
    if (buffer.length > MAX_EVENT_LENGTH) throw new Error('an event is too long');
    const blocks = buffer.split(/\r?\n\r?\n/);
    buffer = blocks.pop() ?? '';
    for (const block of blocks) yield toEvent(block);
  }
}

function toEvent(block: string): ServerSentEvent {
  const lines = block.split(/\r?\n/).map((line) => /^([^:]*):? ?(.*)$/.exec(line) ?? ['', '', '']);
  const of = (name: string) => lines.filter(([, field]) => field === name).map(([, , value]) => value);
  const isComment = lines.every(([, field]) => field === '');
  return { event: isComment ? 'comment' : (of('event').at(-1) ?? 'message'), data: of('data').join('\n') };
}
