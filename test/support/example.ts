import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { waitFor } from './wait-for.ts';

export const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const HOLDER = fileURLToPath(new URL('../../.tollgate', import.meta.url));
const CLI = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const READY_TIMEOUT_MS = 90_000;

/** The commands of an example's README: the lines of its first shell block. */
export function commandsOf(name: string): string[] {
  const block = /```sh\n([\s\S]*?)```/.exec(readFileSync(join(EXAMPLES, name, 'README.md'), 'utf8'))?.[1] ?? '';
  return block.trim().split('\n');
}

/** A copy of an example, where its commands are given as a person gives them. `tollgate dev` runs until `close`. */
export class Example {
  readonly folder: string;
  readonly #bin: string;
  readonly #children: ChildProcess[] = [];

  constructor(name: string) {
    mkdirSync(HOLDER, { recursive: true });
    // Inside the clone, so that `tollgate` is found.
    this.folder = mkdtempSync(join(HOLDER, 'example-'));
    this.#bin = join(this.folder, '.bin');
    cpSync(join(EXAMPLES, name), this.folder, { recursive: true });
    mkdirSync(this.#bin);
    const npx = join(this.#bin, 'npx');
    writeFileSync(npx, `#!/bin/sh\nshift\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    chmodSync(npx, 0o755);
  }

  /** Starts a command that goes on, and waits until it has said `ready`. */
  async begin(command: string, ready: string): Promise<void> {
    const child = this.#spawn(command);
    this.#children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await waitFor(
      `"${ready}" of ${command}`,
      async () => {
        if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}: ${said}`);
        return said.includes(ready);
      },
      READY_TIMEOUT_MS,
    );
  }

  async run(command: string, env: Readonly<Record<string, string>> = {}): Promise<{ readonly code: number | null; readonly stdout: string }> {
    const child = this.#spawn(command, env);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    if (code !== 0) throw new Error(`${command} ended with ${code}: ${stdout}${stderr}`);
    return { code, stdout };
  }

  /** What the running `dev` wrote for the other commands. */
  get temporalAddress(): string {
    return (JSON.parse(readFileSync(join(this.folder, '.tollgate', 'dev.json'), 'utf8')) as { temporalAddress: string }).temporalAddress;
  }

  async close(): Promise<void> {
    for (const child of this.#children.reverse()) {
      if (child.exitCode !== null) continue;
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.kill('SIGINT');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #spawn(command: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
    const { OPENAI_API_KEY: _key, TEMPORAL_ADDRESS: _address, TOLLGATE_HOME: _home, TOLLGATE_CONFIG: _config, ...rest } = process.env;
    const path = `${this.#bin}:${dirname(process.execPath)}:${process.env.PATH}`;
    // `exec`: the signal that ends a command reaches the command, not a shell around it.
    return spawn('/bin/bash', ['-c', `exec ${command}`], {
      cwd: this.folder,
      env: { ...rest, PATH: path, TEMPORAL_CLI_PATH: inject('temporalCli'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
