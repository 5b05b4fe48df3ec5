import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import type { McpServerSpec } from '../../domain/task/define.ts';

const SCRIPT = fileURLToPath(new URL('./mcp-server.ts', import.meta.url));

type Behaviour = 'structured' | 'mixed' | 'huge' | 'error' | 'rant' | 'refuse' | 'fail' | 'hang' | 'die' | 'environment' | 'orphan';

/** How the MCP server of the tests behaves from now on. */
export interface McpServerState {
  /** Changes to what it offers, by the tool's name. */
  readonly tools?: Readonly<Record<string, Partial<Tool>>>;
  readonly more?: readonly Tool[];
  readonly gone?: readonly string[];
  /** Whether it promises to announce changes of its tools, and does. */
  readonly announces?: boolean;
  readonly behaviour?: Readonly<Record<string, Behaviour>>;
  readonly delayMs?: number;
  readonly start?: 'fail' | 'hang' | 'slow' | 'stay';
  readonly requireHeader?: string;
  readonly redirectTo?: string;
}

export interface McpArrival {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly pid: number;
}

/** The MCP server of the tests and the files that it is steered and watched by. */
export class McpStage {
  readonly folder = mkdtempSync(join(tmpdir(), 'tollgate-mcp-'));
  #http: ReadyChild | null = null;

  constructor(state: McpServerState = {}) {
    this.set(state);
  }

  set(state: McpServerState): void {
    const next = join(this.folder, 'next.json');
    writeFileSync(next, JSON.stringify(state));
    renameSync(next, join(this.folder, 'state.json'));
  }

  get #args(): string[] {
    return ['--state', join(this.folder, 'state.json'), '--arrivals', join(this.folder, 'arrivals.jsonl')];
  }

  /** For `mcpServers`: the server started by whoever connects. */
  get stdio(): McpServerSpec & { readonly command: string } {
    return { command: process.execPath, args: [SCRIPT, ...this.#args] };
  }

  /** Starts the server as an HTTP server, and answers its URL. */
  async startHttp(port = 0): Promise<string> {
    const env = { ...process.env, PORT: String(port) };
    this.#http = await startChild({ name: 'MCP server', script: SCRIPT, args: [...this.#args, '--http'], env, logPath: join(this.folder, 'http.log') });
    return String(this.#http.ready.url);
  }

  async killHttp(): Promise<void> {
    if (!this.#http) return;
    process.kill(this.#http.pid, 'SIGKILL');
    await this.#http.exited;
    this.#http = null;
  }

  get arrivals(): McpArrival[] {
    return this.#lines().filter((line) => line.tool !== undefined);
  }

  /** How many pages of tools it was asked for. */
  get listings(): number {
    return this.#lines().length - this.arrivals.length;
  }

  #lines(): McpArrival[] {
    const path = join(this.folder, 'arrivals.jsonl');
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as McpArrival]));
  }

  async close(): Promise<void> {
    await this.killHttp();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
