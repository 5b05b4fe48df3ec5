import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';

/** How long a server may take to end by itself, and then to end when it is told to. */
const GRACE_MS = 1_000;
/** One message, in bytes. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export interface StdioOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the server. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly onStderr: (text: string) => void;
}

/** Process groups that end with this process, also where nobody closes them. */
const live = new Set<number>();

/**
 * A server as a process group of its own, spoken to through its standard input and output. Not the SDK's transport: that
 * one gives the server more of our environment than was declared, and leaves what the server itself started behind.
 */
export class StdioTransport implements Transport {
  onmessage?: Transport['onmessage'];
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #options: StdioOptions;
  readonly #buffer = new ReadBuffer({ maxBufferSize: MAX_MESSAGE_BYTES });
  #child: ChildProcessWithoutNullStreams | null = null;
  #ended: Promise<void> = Promise.resolve();

  constructor(options: StdioOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const { command, args, env, cwd, onStderr } = this.#options;
    const child = spawn(command, [...args], { env: { ...env }, cwd, detached: true, stdio: 'pipe' });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.on('close', () => resolve()));
    child.stdout.on('data', (chunk: Buffer) => this.#read(chunk));
    child.stderr.setEncoding('utf8').on('data', onStderr);
    child.stdin.on('error', (error) => this.onerror?.(error));
    child.on('exit', () => this.#signal('SIGKILL'));
    child.on('close', () => {
      this.#forget();
      this.onclose?.();
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    if (child.pid !== undefined) endWithUs(child.pid);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#child ?? {};
    if (!stdin?.writable) throw new Error('The server has ended.');
    await new Promise<void>((resolve, reject) => stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve())));
  }

  /** Ends the server: its input closes, then it is told to stop, then it is ended, with all that it started. */
  async close(): Promise<void> {
    if (!this.#child) return;
    this.#child.stdin.end();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      if (await this.#endsWithin(GRACE_MS)) return;
      this.#signal(signal);
    }
    await this.#endsWithin(GRACE_MS);
  }

  #read(chunk: Buffer): void {
    try {
      this.#buffer.append(chunk);
    } catch (error) {
      this.onerror?.(error as Error);
      this.#signal('SIGKILL');
      return;
    }
    for (;;) {
      try {
        const message = this.#buffer.readMessage();
        if (message === null) return;
        this.onmessage?.(message);
      } catch (error) {
        // A line that is no message of the protocol.
        this.onerror?.(error as Error);
      }
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const ended = await Promise.race([this.#ended.then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }

  #signal(signal: NodeJS.Signals): void {
    signalGroup(this.#child?.pid, signal);
  }

  #forget(): void {
    if (this.#child?.pid !== undefined) live.delete(this.#child.pid);
    this.#child = null;
    this.#buffer.clear();
  }
}

function endWithUs(pid: number): void {
  if (live.size === 0 && !process.listeners('exit').includes(endAll)) process.on('exit', endAll);
  live.add(pid);
}

function endAll(): void {
  for (const pid of live) signalGroup(pid, 'SIGKILL');
}

/** The group's leader is our child, so the number can't mean anybody else's processes as long as one of them is left. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // All of them have ended.
  }
}
