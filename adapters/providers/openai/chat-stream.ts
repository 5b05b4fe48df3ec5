import type { ProviderResult } from '../../../domain/model/provider-port.ts';
import { brokenStream } from './broken-stream.ts';
import { readChatCompletion } from './chat-mapping.ts';
import { errorInside } from './error-inside.ts';
import { type EventKind, readEvents, type StreamEnd, type StreamOptions } from './event-stream.ts';

interface Delta {
  readonly content?: string | null;
  readonly refusal?: string | null;
  readonly tool_calls?: readonly CallDelta[] | null;
}
interface CallDelta {
  readonly index?: number | null;
  readonly id?: string | null;
  readonly function?: { readonly name?: string | null; readonly arguments?: string | null } | null;
}
interface Choice {
  readonly delta?: Delta | null;
  readonly finish_reason?: string | null;
  readonly error?: unknown;
}
interface Chunk {
  readonly id?: string | null | undefined;
  readonly model?: string | null | undefined;
  readonly service_tier?: string | null | undefined;
  readonly usage?: unknown;
  readonly error?: unknown;
  readonly choices?: readonly Choice[] | null;
}
interface Call {
  id: string | null;
  name: string;
  arguments: string;
}

/** Reads a streamed chat completion and puts it together to what the same completion would have been unstreamed. */
export async function readChatStream(response: Response, options: StreamOptions): Promise<ProviderResult> {
  const assembly = new ChatAssembly();
  const end = await readEvents(response, options, ({ data }) => assembly.take(data));
  if (assembly.error !== undefined) return errorInside(assembly.error, assembly.hasBegun);
  return assembly.isWhole(end) ? readChatCompletion(assembly.completion()) : brokenStream(end, assembly.hasBegun, options.idleTimeoutMs);
}

class ChatAssembly {
  hasBegun = false;
  error: unknown;
  #head: Pick<Chunk, 'id' | 'model' | 'service_tier'> = {};
  #text: string | null = null;
  #refusal: string | null = null;
  #finishReason: string | null = null;
  readonly #calls: Call[] = [];
  /** The call that an index stands for now. Some gateways number every call 0. */
  readonly #byIndex = new Map<number, Call>();
  #usage: unknown = null;
  #choiceError: unknown;
  #hasChoice = false;

  take(data: string): EventKind {
    const chunk = parsed(data);
    if (chunk === null) return 'unreadable';
    if (chunk.error !== undefined && chunk.error !== null) {
      this.error = chunk.error;
      return 'last';
    }
    this.hasBegun = true;
    this.#head = { id: chunk.id ?? this.#head.id, model: chunk.model ?? this.#head.model, service_tier: chunk.service_tier ?? this.#head.service_tier };
    const choice = chunk.choices?.[0];
    if (choice) this.#hear(choice);
    // What is counted before the end, as some servers do with every chunk, is not what the call costs.
    if (chunk.usage && (this.#finishReason !== null || !this.#hasChoice)) this.#usage = chunk.usage;
    return choice ? 'piece' : 'other';
  }

  /** Whether the end of the reply was seen. A gateway may close a stream in good order that was cut on its other side. */
  isWhole(end: StreamEnd): boolean {
    return this.#finishReason !== null || (end.type === 'done' && this.hasBegun && !this.#hasChoice);
  }

  completion(): unknown {
    const calls = this.#calls.map(({ id, ...fn }) => ({ id, function: fn }));
    const message = { content: this.#text, refusal: this.#refusal, ...(calls.length > 0 ? { tool_calls: calls } : {}) };
    return { ...this.#head, choices: this.#hasChoice ? [{ finish_reason: this.#finishReason, message, error: this.#choiceError }] : [], usage: this.#usage };
  }

  #hear({ delta, finish_reason: finishReason, error }: Choice): void {
    const { content, refusal, tool_calls: calls } = delta ?? {};
    this.#hasChoice = true;
    this.#choiceError ??= error;
    if (typeof content === 'string') this.#text = (this.#text ?? '') + content;
    if (typeof refusal === 'string') this.#refusal = (this.#refusal ?? '') + refusal;
    for (const call of calls ?? []) this.#hearCall(call);
    this.#finishReason = finishReason ?? this.#finishReason;
  }

  #hearCall({ index, id, function: fn }: CallDelta): void {
    const known = index === null || index === undefined ? this.#calls.at(-1) : this.#byIndex.get(index);
    const isNew = known === undefined || (id && known.id !== null && known.id !== id);
    const call = isNew ? { id: null, name: '', arguments: '' } : known;
    if (isNew) this.#calls.push(call);
    if (index !== null && index !== undefined) this.#byIndex.set(index, call);
    call.id ??= id ?? null;
    call.name ||= fn?.name ?? '';
    call.arguments += fn?.arguments ?? '';
  }
}

function parsed(data: string): Chunk | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Chunk) : null;
  } catch {
    return null;
  }
}
