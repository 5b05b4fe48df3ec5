import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport, StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  ListToolsResultSchema,
  McpError,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import type { JsonObject } from '../../../contracts/json.ts';
import { NotSentError } from '../guarded-request.ts';
import { NOT_DONE_STATUSES } from '../http-tool.ts';
import { McpCallError } from './call-error.ts';
import { type OfferedTool, toOfferedTool } from './offered-tool.ts';

/** Above the longest a tool may take: our own signal ends a call. */
const CALL_TIMEOUT_MS = 700_000;
const MAX_TOOLS = 1_000;
const MAX_PAGES = 100;
/** How long a list is believed that the server promises to announce changes of: an announcement can be lost. */
const LIST_MAX_AGE_MS = 60_000;
const GOODBYE_TIMEOUT_MS = 1_000;
/** Answers of JSON-RPC that say for certain that the request was not carried out. */
const REFUSALS: ReadonlySet<number> = new Set([ErrorCode.ParseError, ErrorCode.InvalidRequest, ErrorCode.MethodNotFound, ErrorCode.InvalidParams]);

export interface McpCall {
  readonly tool: string;
  readonly arguments: JsonObject;
  /** Goes along as `_meta`. */
  readonly meta: JsonObject;
}

/** One live connection to an MCP server and what the server was last heard to offer on it. */
export class McpConnection {
  readonly #client: Client;
  readonly #transport: Transport;
  #known: { readonly tools: ReadonlyMap<string, OfferedTool>; readonly atMs: number } | null = null;
  /** Counts announcements of changes, so that a list that was under way meanwhile is not believed. */
  #changes = 0;
  #inFlight = 0;
  #isRetired = false;
  #isClosed = false;

  private constructor(client: Client, transport: Transport) {
    this.#client = client;
    this.#transport = transport;
  }

  /** Connects and shakes hands. We offer servers nothing: no model, no questions to people, no files. @throws McpCallError. */
  static async open(transport: Transport, timeoutMs: number): Promise<McpConnection> {
    const client = new Client({ name: 'tollgate', version: '1' }, { capabilities: {} });
    const connection = new McpConnection(client, transport);
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      connection.#changes += 1;
      connection.#known = null;
    });
    client.onclose = () => {
      connection.#isClosed = true;
    };
    try {
      await client.connect(transport, { timeout: timeoutMs });
      return connection;
    } catch (error) {
      await transport.close();
      throw translated(error);
    }
  }

  get isUsable(): boolean {
    return !this.#isClosed && !this.#isRetired;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  /** What the server offers, where that need not be asked again; null where it must. */
  known(maxAgeMs?: number): ReadonlyMap<string, OfferedTool> | null {
    const announces = this.#client.getServerCapabilities()?.tools?.listChanged === true;
    const limitMs = maxAgeMs ?? (announces ? LIST_MAX_AGE_MS : 0);
    return this.isUsable && this.#known && Date.now() - this.#known.atMs < limitMs ? this.#known.tools : null;
  }

  /** Asks the server what it offers now. @throws McpCallError. */
  async list(signal: AbortSignal): Promise<ReadonlyMap<string, OfferedTool>> {
    for (;;) {
      const changes = this.#changes;
      const tools = await this.#pages(signal).catch((error: unknown) => {
        throw translated(error);
      });
      if (changes !== this.#changes) continue;
      this.#known = { tools, atMs: Date.now() };
      return tools;
    }
  }

  /** Sends one call, at once. @throws NotSentError where nothing was sent, else McpCallError. */
  async call({ tool, arguments: args, meta }: McpCall, signal: AbortSignal): Promise<CallToolResult> {
    if (this.#isClosed) throw new NotSentError('The connection to the server had ended. Nothing was sent.');
    if (signal.aborted) throw new NotSentError('The time for the call was over before it began. Nothing was sent.');
    this.#inFlight += 1;
    try {
      // Not the SDK's callTool: it reports a result that does not fit its schema as if the call had been refused.
      const request = { method: 'tools/call' as const, params: { name: tool, arguments: args, _meta: meta } };
      return await withSignal(signal, (own) => this.#client.request(request, CallToolResultSchema, { signal: own, timeout: CALL_TIMEOUT_MS }));
    } catch (error) {
      throw translated(error);
    } finally {
      this.#inFlight -= 1;
      if (this.#isRetired && this.#inFlight === 0) await this.close();
    }
  }

  /** Takes no new calls; closes when the last one has ended. */
  retire(): void {
    this.#isRetired = true;
    if (this.#inFlight === 0) void this.close();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#transport instanceof StreamableHTTPClientTransport) await within(GOODBYE_TIMEOUT_MS, this.#transport.terminateSession());
    await this.#client.close().catch(() => undefined);
  }

  async #pages(signal: AbortSignal): Promise<ReadonlyMap<string, OfferedTool>> {
    const tools = new Map<string, OfferedTool>();
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const request = { method: 'tools/list' as const, params: cursor === undefined ? {} : { cursor } };
      const answer = await withSignal(signal, (own) => this.#client.request(request, ListToolsResultSchema, { signal: own, timeout: CALL_TIMEOUT_MS }));
      for (const tool of answer.tools) tools.set(tool.name, toOfferedTool(tool));
      if (tools.size > MAX_TOOLS) throw new Error(`it offers more than ${MAX_TOOLS} tools`);
      cursor = answer.nextCursor;
      if (cursor === undefined) return tools;
    }
    throw new Error(`its list of tools has more than ${MAX_PAGES} pages`);
  }
}

function translated(error: unknown): Error {
  if (error instanceof NotSentError) return error;
  if (error instanceof McpError) {
    if (error.code === ErrorCode.ConnectionClosed) return new McpCallError('open', 'the server ended or closed the connection', error);
    if (error.code === ErrorCode.RequestTimeout) return new McpCallError('open', 'no answer came in time', error);
    return new McpCallError(REFUSALS.has(error.code) ? 'refused' : 'open', error.message, error);
  }
  if (error instanceof StreamableHTTPError) return new McpCallError(NOT_DONE_STATUSES.has(error.code ?? 0) ? 'notTaken' : 'lost', error.message, error);
  const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
  const message = error instanceof Error ? error.message : String(error);
  return new McpCallError('lost', isMissing ? 'its command or its folder (cwd) is not there' : message, error);
}

/** The SDK never lets go of a signal, and tells the server of a cancellation also after the answer. */
async function withSignal<T>(signal: AbortSignal, work: (own: AbortSignal) => Promise<T>): Promise<T> {
  const own = new AbortController();
  const abort = () => own.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await work(own.signal);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
