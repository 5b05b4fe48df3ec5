import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { stopProcess } from '../../client/dev/child-process.ts';
import type { RunningChild } from '../../client/dev/supervisor.ts';

const KEPT_OUTPUT = 8_000;

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The user that the process runs as, where it is not this one's. */
  readonly user?: { readonly uid: number; readonly gid: number } | null;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** Runs a command to its end and answers its standard output. @throws with the end of its output where it fails. */
export function runCommand(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { env, cwd, user, input = '', timeoutMs = 120_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { ...(env ? { env } : {}), ...(cwd ? { cwd } : {}), ...user, timeout: timeoutMs, killSignal: 'SIGKILL' });
    let stdout = '';
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString('utf8');
      output = (output + chunk.toString('utf8')).slice(-KEPT_OUTPUT);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_OUTPUT);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')} failed (${signal ?? `exit code ${code}`}):\n${output.trim()}`));
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Starts a server that is no Node script; its output goes to `logPath`. */
export function startServer(command: string, args: readonly string[], options: CommandOptions & { readonly logPath: string }): RunningChild {
  const { env, cwd, user, logPath } = options;
  const child = spawn(command, [...args], {
    ...(env ? { env } : {}),
    ...(cwd ? { cwd } : {}),
    ...user,
    // A group of its own: Ctrl-C at the terminal reaches us alone, and we stop our children in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(logPath, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  return { pid: child.pid ?? 0, exited, stop: () => stopProcess(child, exited) };
}

/** Asks until `probe` does not throw, or `server` ends. @throws the last error, or how the server ended. */
export async function untilReady(what: string, server: RunningChild, timeoutMs: number, probe: () => Promise<unknown>): Promise<void> {
  let ended: string | null = null;
  void server.exited.then((how) => {
    ended = how;
  });
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      await probe();
      return;
    } catch (error) {
      if (ended !== null) throw new Error(`${what} ended (${ended}).`, { cause: error });
      if (Date.now() > deadlineMs) throw new Error(`${what} was not ready after ${timeoutMs / 1_000} s: ${(error as Error).message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
