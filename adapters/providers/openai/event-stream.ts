import { createParser } from 'eventsource-parser';
import type { Progress } from '../../../domain/model/provider-port.ts';

/** A reply is a few megabytes at the very most; what goes on and on is none. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;
/** How long after its last event a stream may take to close, so that its connection can be used again. */
const CLOSING_MS = 1_000;

export interface StreamOptions {
  readonly signal: AbortSignal;
  /** Longest silence once the first piece of the answer has come. Before it a model may be thinking. */
  readonly idleTimeoutMs: number;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface ServerEvent {
  /** Of its `event:` line. */
  readonly name: string | undefined;
  readonly data: string;
}

/** What an event was: a piece of the answer, something else, the last one that matters, or nothing that can be read. */
export type EventKind = 'piece' | 'other' | 'last' | 'unreadable';

/** How a stream ended. `done`: it said so itself. `closed`: the connection was closed in good order before that. */
export type StreamEnd =
  | { readonly type: 'done' | 'closed' | 'aborted' | 'idle' | 'unreadable' }
  /** `error` is what the connection broke with. */
  | { readonly type: 'cut'; readonly error: unknown };

/** Hands every event to `take` until the stream ends, whichever way. Never throws for what comes over the wire. */
export async function readEvents(response: Response, options: StreamOptions, take: (event: ServerEvent) => EventKind): Promise<StreamEnd> {
  const reader = response.body?.getReader();
  if (!reader) return { type: 'closed' };
  const stop = () => void reader.cancel().catch(() => undefined);
  const reading = new Reading(options, take, stop);
  options.signal.addEventListener('abort', stop, { once: true });
  try {
    if (options.signal.aborted) return { type: 'aborted' };
    const decoder = new TextDecoder();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      reading.feed(decoder.decode(value, { stream: true }), value.byteLength);
      if (reading.end?.type === 'unreadable') break;
    }
    return reading.end ?? { type: options.signal.aborted ? 'aborted' : 'closed' };
  } catch (error) {
    return reading.end ?? (options.signal.aborted ? { type: 'aborted' } : { type: 'cut', error });
  } finally {
    options.signal.removeEventListener('abort', stop);
    reading.close();
    stop();
  }
}

class Reading {
  /** What ended the stream, as soon as it is known. */
  end: StreamEnd | null = null;
  readonly #options: StreamOptions;
  readonly #take: (event: ServerEvent) => EventKind;
  readonly #stop: () => void;
  readonly #parser = createParser({ onEvent: ({ event, data }) => this.#onEvent({ name: event, data }) });
  #timer: NodeJS.Timeout | null = null;
  #bytes = 0;
  #pieces = 0;

  constructor(options: StreamOptions, take: (event: ServerEvent) => EventKind, stop: () => void) {
    this.#options = options;
    this.#take = take;
    this.#stop = stop;
  }

  feed(text: string, bytes: number): void {
    this.#bytes += bytes;
    this.#parser.feed(text);
    if (this.#bytes > MAX_STREAM_BYTES) this.end ??= { type: 'unreadable' };
    this.#options.onProgress?.({ bytes: this.#bytes, pieces: this.#pieces });
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
  }

  #onEvent(event: ServerEvent): void {
    if (this.end) return;
    const kind = event.data === '[DONE]' ? 'last' : this.#take(event);
    if (kind === 'unreadable') this.end = { type: 'unreadable' };
    else if (kind === 'last') {
      this.end = { type: 'done' };
      this.close();
      this.#timer = setTimeout(this.#stop, CLOSING_MS);
    } else this.#rewind(kind);
  }

  /** Comments that keep a connection open are no sign of life of the model: only events are. */
  #rewind(kind: EventKind): void {
    if (kind === 'piece') this.#pieces += 1;
    if (this.#timer) this.#timer.refresh();
    else if (kind === 'piece')
      this.#timer = setTimeout(() => {
        this.end = { type: 'idle' };
        this.#stop();
      }, this.#options.idleTimeoutMs);
  }
}
