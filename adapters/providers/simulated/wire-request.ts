/** A request of either API, as far as the simulated provider looks at it. */
export interface WireRequest {
  readonly api: 'chat' | 'responses';
  readonly model: string;
  readonly items: readonly WireItem[];
  /** Names of the tools that the model may call; empty where `tool_choice` is `none`. */
  readonly offeredTools: readonly string[];
  readonly toolBytes: number;
  /** UTF-8 bytes of the output format; 0 where the answer is text. */
  readonly formatBytes: number;
  readonly maxOutputTokens: number | null;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly background: boolean;
  readonly store: boolean;
  readonly includeEncryptedReasoning: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  readonly bodyBytes: number;
  /** Parts of a responses request that its answer repeats. */
  readonly echo: Readonly<Record<string, unknown>>;
}

/** One message. Everything the assistant said in one turn is one item. */
export interface WireItem {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  readonly text: string;
  /** UTF-8 bytes that count as tokens. */
  readonly bytes: number;
  /** Ids of the calls that an assistant item makes, or of the one call that a tool item answers. */
  readonly callIds: readonly string[];
}

/** A request that is refused before any work, with the answer OpenAI gives. */
export class RefusedRequest extends Error {
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message);
    this.name = 'RefusedRequest';
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** 1 for the first reply of a conversation. It depends on the request alone. */
export function turnOf(request: WireRequest): number {
  return request.items.filter((item) => item.role === 'assistant').length + 1;
}

/** Texts of the tool results that came after the last assistant turn. */
export function lastToolResults(request: WireRequest): string[] {
  const start = request.items.findLastIndex((item) => item.role === 'assistant') + 1;
  return request.items.slice(start).flatMap((item) => (item.role === 'tool' ? [item.text] : []));
}

/** The system messages, joined. */
export function systemText(request: WireRequest): string {
  return request.items.flatMap((item) => (item.role === 'system' ? [item.text] : [])).join('\n');
}

/** The first or the last user message, or an empty text. */
export function userText(request: WireRequest, which: 'first' | 'last'): string {
  const isUser = (item: WireItem): boolean => item.role === 'user';
  return (which === 'first' ? request.items.find(isUser) : request.items.findLast(isUser))?.text ?? '';
}

/**
 * Checks, as OpenAI does, that every tool call is answered before the model speaks again, and that no answer is without its call.
 * @throws RefusedRequest 400.
 */
export function checkCallsAnswered(request: WireRequest): void {
  const param = request.api === 'chat' ? 'messages' : 'input';
  let waiting = new Set<string>();
  for (const item of [...request.items, null]) {
    if (item === null || item.role === 'assistant') {
      if (waiting.size > 0) throw new RefusedRequest(400, unansweredMessage(request.api, [...waiting]), null, param);
      waiting = new Set(item?.callIds);
    } else if (item.role === 'tool' && !item.callIds.every((id) => waiting.delete(id))) {
      throw new RefusedRequest(400, orphanMessage(request.api, item.callIds), null, param);
    }
  }
}

function unansweredMessage(api: WireRequest['api'], ids: readonly string[]): string {
  return api === 'chat'
    ? `An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: ${ids.join(', ')}`
    : `No tool output found for function call ${ids[0]}.`;
}

function orphanMessage(api: WireRequest['api'], ids: readonly string[]): string {
  return api === 'chat'
    ? `Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.`
    : `No tool call found for function call output with call_id ${ids.join(', ')}.`;
}
