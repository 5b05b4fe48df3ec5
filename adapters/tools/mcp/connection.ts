import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type CallToolResult, CallToolResultSchema, ListToolsResultSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import type { JsonObject } from '../../../contracts/json.ts';
import { NotSentError } from '../guarded-request.ts';
import { type OfferedTool, toOfferedTool } from './offered-tool.ts';

/** Above the longest a tool may take: our own signal ends a call. */
const CALL_TIMEOUT_MS = 700_000;
const MAX_TOOLS = 1_000;
const MAX_PAGES = 100;
/** How long a list is believed that the server promises to announce changes of: an announcement can be lost. */
const LIST_MAX_AGE_MS = 60_000;
const GOODBYE_TIMEOUT_MS = 1_000;

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

  /** Connects and shakes hands. We offer servers nothing: no model, no questions to people, no files. */
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
      throw error;
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

  /** Asks the server what it offers now. */
  async list(signal: AbortSignal): Promise<ReadonlyMap<string, OfferedTool>> {
    for (;;) {
      const changes = this.#changes;
      const tools = await this.#pages(signal);
      if (changes !== this.#changes) continue;
      this.#known = { tools, atMs: Date.now() };
      return tools;
    }
  }

  /** Sends one call, at once. @throws NotSentError where the connection has ended before. */
  async call({ tool, arguments: args, meta }: McpCall, signal: AbortSignal): Promise<CallToolResult> {
    if (this.#isClosed) throw new NotSentError('The connection to the server had ended. Nothing was sent.');
    if (signal.aborted) throw new NotSentError('The time for the call was over before it began. Nothing was sent.');
    this.#inFlight += 1;
    try {
      // Not the SDK's callTool: it reports a result that does not fit its schema as if the call had been refused.
      const request = { method: 'tools/call' as const, params: { name: tool, arguments: args, _meta: meta } };
      return await withSignal(signal, (own) => this.#client.request(request, CallToolResultSchema, { signal: own, timeout: CALL_TIMEOUT_MS }));
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
