import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { newApiKey } from '../../client/api-key.ts';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import { Stage } from './stage.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(ROOT, 'client', 'cli', 'bin.mjs');

/** Tasks that answer at once, that answer late, and that pay somebody, which waits at a gate; with the last one whoever changes it does not approve it. */
const CONFIG = `
import { z } from '${pathToFileURL(join(ROOT, 'node_modules/zod/index.js')).href}';
const common = { models: ['gpt-5-mini'], maxOutputTokens: 64, budgetUsd: 0.5 };
const pay = { name: 'pay', description: 'pays', parameters: z.object({ to: z.string() }), effect: 'irreversible', execute: async () => ({ paid: true }) };
export default {
  tasks: [
    { ...common, name: 'hello', prompt: 'HELLO' },
    { ...common, name: 'late', prompt: 'LATE' },
    { ...common, name: 'long', prompt: 'LONG', limits: { maxHistoryEvents: 50 }, tools: [{ ...pay, name: 'look', effect: 'write', execute: async () => ({}) }] },
    { ...common, name: 'pay', prompt: 'PAY', tools: [pay], gates: { irreversible: { role: 'lead' } } },
    {
      ...common,
      name: 'pay-by-two',
      prompt: 'PAY',
      tools: [{ ...pay, version: '2', parameters: z.strictObject({ to: z.string() }), execute: async (args) => ({ paid: args }) }],
      gates: { irreversible: { role: 'lead', requesterMayDecide: false } },
    },
  ],
};
`;
const look = { toolCalls: [{ name: 'look', arguments: { to: 'x' } }] };
const SCENARIOS = [
  { id: 'hello', match: { system: 'HELLO' }, turns: [{ text: 'hello' }] },
  { id: 'late', match: { system: 'LATE' }, turns: [{ text: 'at last', faults: [{ type: 'slow' as const, delayMs: 6_000 }] }] },
  { id: 'long', match: { system: 'LONG' }, turns: [...Array.from({ length: 12 }, () => look), { text: 'done' }] },
  { id: 'pay', match: { system: 'PAY' }, turns: [{ toolCalls: [{ name: 'pay', arguments: { to: 'bob' } }] }, { text: 'paid' }] },
];

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A stage with a project of its own and an API before it, each a process of its own. */
export class HttpStage extends Stage {
  readonly #configFolder: string;
  #apis: ReadyChild[] = [];
  url = '';

  constructor(env: NodeJS.ProcessEnv = {}) {
    const configFolder = mkdtempSync(join(tmpdir(), 'tollgate-http-'));
    const configPath = join(configFolder, 'tollgate.config.ts');
    writeFileSync(configPath, CONFIG);
    super({ TOLLGATE_CONFIG: configPath, ...env });
    this.#configFolder = configFolder;
  }

  async openWithApi(env: NodeJS.ProcessEnv = {}): Promise<this> {
    await this.open({ scenarios: SCENARIOS });
    await this.startApi(env);
    return this;
  }

  get api(): ReadyChild {
    const api = this.#apis.at(-1);
    if (!api) throw new Error('no API was started');
    return api;
  }

  async startApi(env: NodeJS.ProcessEnv = {}): Promise<ReadyChild> {
    const api = await startChild({
      name: 'HTTP API',
      script: join(ROOT, 'client', 'http', 'main.ts'),
      env: { ...this.environment, TOLLGATE_LISTEN: '127.0.0.1:0', ...env },
      cwd: ROOT,
      logPath: join(this.folder, 'api.log'),
    });
    this.#apis.push(api);
    this.url = String(api.ready.url);
    return api;
  }

  /** Ends the API without a warning and starts another one at the same address, after `downMs`. */
  async crashApi(downMs: number): Promise<void> {
    const { port } = new URL(this.url);
    await this.kill(this.api);
    await new Promise((resolve) => setTimeout(resolve, downMs));
    await this.startApi({ TOLLGATE_LISTEN: `127.0.0.1:${port}` });
  }

  async key(name: string, scopes: readonly string[], options: { readonly roles?: readonly string[]; readonly tenant?: string } = {}): Promise<string> {
    const { key, secret } = newApiKey({ name, scopes, roles: [], ...options });
    await this.store.putApiKey(key);
    return secret;
  }

  /** The command line where there is nothing but the API: no store, no Temporal, no project. */
  async overHttp(token: string | undefined, args: readonly string[], input = ''): Promise<Ended> {
    return await this.cli(args, input, {
      PATH: process.env.PATH,
      TOLLGATE_URL: this.url,
      ...(token === undefined ? {} : { TOLLGATE_TOKEN: token }),
      TOLLGATE_HOME: join(this.folder, 'nowhere'),
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
  }

  /** The command line beside store and Temporal. */
  async cli(args: readonly string[], input = '', env: NodeJS.ProcessEnv = this.environment): Promise<Ended> {
    return await endOf(process.execPath, [BIN, ...args], { env, cwd: this.folder, input });
  }

  override async close(): Promise<void> {
    await Promise.all(this.#apis.map((api) => api.stop()));
    await super.close();
    rmSync(this.#configFolder, { recursive: true, force: true });
  }
}

/** Runs a program to its end. */
export async function endOf(
  command: string,
  args: readonly string[],
  { input = '', ...options }: { readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly input?: string },
): Promise<Ended> {
  const child = spawn(command, [...args], { ...options, stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  return { code, stdout, stderr };
}
