import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { waitFor } from './wait-for.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'client', 'cli', 'bin.mjs');
const READY_TIMEOUT_MS = 110_000;

/** What `npm start` starts, as a process with a data folder of its own. */
export class DevProcess {
  readonly home = mkdtempSync(join(tmpdir(), 'tollgate-dev-'));
  #child: ChildProcess | null = null;
  output = '';

  get environment(): NodeJS.ProcessEnv {
    const { OPENAI_API_KEY: _key, TEMPORAL_ADDRESS: _address, ...rest } = process.env;
    return { ...rest, TOLLGATE_HOME: this.home, TEMPORAL_CLI_PATH: inject('temporalCli') };
  }

  /** Starts it and waits until the sample run stands at its gate. Answers the words of the command that approves. */
  async start(): Promise<{ readonly approve: readonly string[]; readonly runUrl: string }> {
    this.output = '';
    const child = spawn(process.execPath, [CLI, 'dev', '--sample'], { cwd: ROOT, env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString('utf8');
      });
    const approve = await waitFor(
      'the sample run at its gate',
      async () => {
        if (child.exitCode !== null) throw new Error(`dev ended with ${child.exitCode}: ${this.output}`);
        return /npx tollgate (approve \S+ --digest [0-9a-f]{64})/.exec(this.output)?.[1];
      },
      READY_TIMEOUT_MS,
    );
    return { approve: approve.split(' '), runUrl: /(http:\S+\/workflows\/\S+)/.exec(this.output)?.[1] ?? '' };
  }

  /** Runs a command in the same data folder. */
  async cli(...args: readonly string[]): Promise<{ readonly stdout: string; readonly code: number | null }> {
    const child = spawn(process.execPath, [CLI, ...args], { cwd: ROOT, env: this.environment, stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
    });
    return new Promise((resolve) => child.on('close', (code) => resolve({ stdout, code })));
  }

  /** As Ctrl-C does. Answers the exit code. */
  async interrupt(): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.kill('SIGINT');
    return ended;
  }

  async close(): Promise<void> {
    await this.interrupt();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
