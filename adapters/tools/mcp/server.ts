import { createHash } from 'node:crypto';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { TollgateError } from '../../../contracts/failures.ts';
import type { McpServerSpec } from '../../../domain/task/define.ts';
import { NotSentError } from '../guarded-request.ts';
import { McpCallError } from './call-error.ts';
import type { McpCall, McpConnection } from './connection.ts';
import type { OfferedTool } from './offered-tool.ts';
import { Slots } from './slots.ts';
import type { TransportOptions } from './transports.ts';

/** A first start may download the server. */
const CONNECT_TIMEOUT_MS = 60_000;
const LIST_TIMEOUT_MS = 15_000;
/** A server that just failed to start is not started again at once, whoever asks. */
const PAUSE_AFTER_FAILURE_MS = 1_000;
const MAX_CALLS_AT_ONCE = 8;
const MAX_DESCRIPTION_LENGTH = 500;

export type Offered = ReadonlyMap<string, OfferedTool>;

/** One configured MCP server: connected at its first use, again after it died, one connection for all calls of this process. */
export class McpServer {
  readonly #name: string;
  readonly #spec: McpServerSpec;
  readonly #options: TransportOptions;
  readonly #slots = new Slots(MAX_CALLS_AT_ONCE);
  #connection: McpConnection | null = null;
  #opening: Promise<McpConnection> | null = null;
  #starting: Transport | null = null;
  #failure: { readonly error: TollgateError; readonly atMs: number } | null = null;
  #isClosed = false;

  constructor(name: string, spec: McpServerSpec, options: TransportOptions) {
    this.#name = name;
    this.#spec = spec;
    this.#options = options;
  }

  /** The server as an approver sees it. */
  describe(): string {
    return describeServer(this.#spec);
  }

  /** What it offers: as last heard where that may be believed, else asked now. @throws TollgateError `toolServerUnavailable`. */
  async offered(signal: AbortSignal): Promise<Offered> {
    return this.#connection?.known() ?? (await this.offeredNow(signal));
  }

  /** Asks what it offers, on a connection that then is known to work. @throws TollgateError `toolServerUnavailable`. */
  async offeredNow(signal: AbortSignal): Promise<Offered> {
    const before = this.#connection;
    try {
      return await this.#list(signal);
    } catch (error) {
      // A connection from before may have died unnoticed: a session that the server has forgotten, say.
      if (before === null || this.#connection === before || signal.aborted) throw error;
      return await this.#list(signal);
    }
  }

  /** What it was heard to offer within `maxAgeMs` and has not taken back, without asking; null where nothing is known. */
  heard(maxAgeMs: number): Offered | null {
    return this.#connection?.known(maxAgeMs) ?? null;
  }

  /** Sends a call at once. @throws NotSentError where nothing was sent. */
  async callAtOnce(call: McpCall, signal: AbortSignal) {
    const connection = this.#connection;
    if (!connection?.isUsable) throw new NotSentError(`The connection to MCP server "${this.#name}" was lost before the call. Nothing was sent.`);
    try {
      return await connection.call(call, signal);
    } catch (error) {
      // The session is forgotten, the host is gone.
      if (!(error instanceof McpCallError) || error.kind === 'lost' || error.kind === 'notTaken') this.#drop(connection);
      throw error;
    }
  }

  /** Does `work` when not too much of the kind is under way. @throws NotSentError where the time was over before. */
  async whenThereIsRoom<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return await this.#slots.use(signal, work);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#opening) await this.#starting?.close();
    const opened = await this.#opening?.catch(() => null);
    await (opened ?? this.#connection)?.close();
  }

  async #list(signal: AbortSignal): Promise<Offered> {
    const connection = await this.#connected(signal);
    const deadline = AbortSignal.timeout(LIST_TIMEOUT_MS);
    try {
      return await connection.list(AbortSignal.any([signal, deadline]));
    } catch (error) {
      // A server that is busy with a call may answer later; one that is idle and silent is stuck.
      if (!signal.aborted && (!deadline.aborted || connection.isIdle)) this.#drop(connection);
      const why = deadline.aborted ? `it did not say within ${LIST_TIMEOUT_MS / 1_000} s which tools it offers` : messageOf(error);
      throw this.#unavailable(signal.aborted ? 'there was no time left to ask which tools it offers' : why);
    }
  }

  #drop(connection: McpConnection): void {
    if (this.#connection === connection) this.#connection = null;
    connection.retire();
  }

  /** The live connection. Opening one goes on when the caller gives up waiting, so that the next one finds it. */
  async #connected(signal: AbortSignal): Promise<McpConnection> {
    if (this.#connection?.isUsable) return this.#connection;
    if (this.#isClosed) throw this.#unavailable('this process is stopping');
    if (this.#failure && Date.now() - this.#failure.atMs < PAUSE_AFTER_FAILURE_MS) throw this.#failure.error;
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return await this.#untilAborted(this.#opening, signal);
  }

  async #open(): Promise<McpConnection> {
    let tail = () => '';
    try {
      // Loaded here, because a process that uses no MCP server has no need of the SDK.
      const [{ McpConnection }, { createTransport }] = await Promise.all([import('./connection.ts'), import('./transports.ts')]);
      if (this.#isClosed) throw new Error('this process is stopping');
      const created = createTransport(this.#spec, this.#options);
      tail = created.tail;
      this.#starting = created.transport;
      this.#connection = await McpConnection.open(created.transport, CONNECT_TIMEOUT_MS);
      this.#failure = null;
      return this.#connection;
    } catch (error) {
      this.#failure = { error: this.#unavailable(messageOf(error) + tail()), atMs: Date.now() };
      throw this.#failure.error;
    }
  }

  async #untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    let abort: () => void = () => undefined;
    const aborted = new Promise<never>((_resolve, reject) => {
      abort = () => reject(this.#unavailable('it is still starting'));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
    });
    // Whoever gave up does not hear how the work ended.
    work.catch(() => undefined);
    try {
      return await Promise.race([work, aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #unavailable(why: string): TollgateError {
    return new TollgateError(
      'toolServerUnavailable',
      `MCP server "${this.#name}" (${this.describe()}) can't be used: ${why.replace(/\.$/, '')}. Nothing was sent. "tollgate mcp list ${this.#name}" tries it.`,
    );
  }
}

/** Its command, or the host and path of its URL. What is too long or may be secret (a query) is there as a digest, so that it binds. */
function describeServer(spec: McpServerSpec): string {
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('hex').slice(0, 12);
  if ('command' in spec) {
    const line = [spec.command, ...(spec.args ?? [])].join(' ');
    return line.length <= MAX_DESCRIPTION_LENGTH ? line : `${line.slice(0, MAX_DESCRIPTION_LENGTH)}… #${digest(line)}`;
  }
  const { host, pathname, search } = new URL(spec.url);
  const path = pathname.length <= MAX_DESCRIPTION_LENGTH ? pathname : `${pathname.slice(0, MAX_DESCRIPTION_LENGTH)}… #${digest(pathname)}`;
  return `${host}${path}${search === '' ? '' : `?#${digest(search)}`}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
