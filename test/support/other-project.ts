import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PROJECT = join(ROOT, 'test', 'real', 'other-project');
/** Settings of the person, and what npm tells the scripts of this clone about it. */
const OF_THIS_CLONE = /^(TOLLGATE_|TEMPORAL_|OPENAI_|DATABASE_URL|OTEL_|NODE_OPTIONS|INIT_CWD|npm_(package|lifecycle)_|npm_config_local_prefix)/;
const STOP_DEADLINE_MS = 25_000;
const RUN_DEADLINE_MS = 150_000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What `npm pack --json` says of a tarball. */
export interface Tarball {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** A project elsewhere on the machine that installs the packed package from its tarball, and knows nothing of this clone. */
export class OtherProject {
  readonly #place = mkdtempSync(join(tmpdir(), 'tollgate-package-'));
  readonly folder = join(this.#place, 'project');
  readonly #children = new Set<ChildProcess>();
  readonly #env: NodeJS.ProcessEnv;

  /** `env`: what this project's processes have in their environment, beside PATH and npm's own settings. */
  constructor(env: NodeJS.ProcessEnv) {
    const kept = Object.entries(process.env).filter(([name]) => !OF_THIS_CLONE.test(name));
    this.#env = { ...Object.fromEntries(kept), PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`, ...env };
    mkdirSync(this.folder);
  }

  async pack(): Promise<Tarball> {
    const { code, stdout, stderr } = await this.run('npm', ['pack', '--json', '--pack-destination', this.#place], ROOT);
    if (code !== 0) throw new Error(`npm pack failed: ${stderr}`);
    const [tarball] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m))) as Tarball[]);
    if (!tarball) throw new Error(`npm pack says nothing of its tarball: ${stdout}`);
    return tarball;
  }

  /** Installs the tarball into the empty folder, then puts the project's files there. */
  async install({ filename }: Tarball): Promise<Ended> {
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ name: 'other-project', private: true, type: 'module' }));
    const ended = await this.run('npm', ['install', '--no-audit', '--no-fund', '--fetch-retries=1', join(this.#place, filename)]);
    cpSync(PROJECT, this.folder, { recursive: true });
    return ended;
  }

  /** The installed CLI. */
  async tollgate(args: readonly string[], settings: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return await this.run(join(this.folder, 'node_modules', '.bin', 'tollgate'), args, this.folder, settings);
  }

  async run(command: string, args: readonly string[], cwd = this.folder, settings: NodeJS.ProcessEnv = {}): Promise<Ended> {
    const started = this.start(command, args, cwd, settings);
    const timer = setTimeout(() => started.child.kill('SIGKILL'), RUN_DEADLINE_MS);
    const code = await started.ended;
    clearTimeout(timer);
    return { code, ...started.output() };
  }

  start(command: string, args: readonly string[], cwd = this.folder, settings: NodeJS.ProcessEnv = {}) {
    const child = spawn(command, args, { cwd, env: { ...this.#env, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        this.#children.delete(child);
        resolve(code);
      });
    });
    return { child, ended, output: () => ({ stdout, stderr }) };
  }

  /** Stops what still runs, by pid, and removes the folder. */
  async close(): Promise<void> {
    await Promise.all([...this.#children].map(stop));
    rmSync(this.#place, { recursive: true, force: true });
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await ended;
  clearTimeout(timer);
}
