import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream, mkdirSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { TollgateError } from '../../contracts/failures.ts';
import { NODE_OPTIONS } from './own-script.ts';
import type { RunningChild } from './supervisor.ts';

const STOP_DEADLINE_MS = 18_000;
const MAX_LOG_BYTES = 20_000_000;
const KEPT_OUTPUT = 4_000;

export interface ChildOptions {
  readonly name: string;
  /** Path of the script. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Its output goes here. */
  readonly logPath: string;
  readonly readyTimeoutMs?: number;
}

export interface ReadyChild extends RunningChild {
  /** The message with `type: 'ready'` that it sent. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly process: ChildProcess;
}

/**
 * Starts a Node script as a process of its own and waits until it says that it is ready. It ends when this process does,
 * because its channel to us closes.
 * @throws TollgateError with the end of its output where it ends or does not get ready in time.
 */
export async function startChild(options: ChildOptions): Promise<ReadyChild> {
  const { name, script, args = [], env, logPath, readyTimeoutMs = 60_000 } = options;
  const child = fork(script, [...args], {
    env,
    execArgv: [...process.execArgv, ...NODE_OPTIONS],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const log = openLog(logPath);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-KEPT_OUTPUT);
      log.write(chunk);
    });
  }
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const stop = () => stopProcess(child, exited);
  try {
    const ready = await Promise.race([readyMessage(child, readyTimeoutMs), exited.then((how) => Promise.reject(new Error(how)))]);
    return { pid: child.pid ?? 0, exited, stop, ready, process: child };
  } catch (error) {
    await stop();
    const told = /error: ([\s\S]*)$/.exec(output)?.[1] ?? output;
    throw new TollgateError('invalidInput', `The ${name} did not start (${(error as Error).message}). ${told.trim()}`.trim(), { cause: error });
  }
}

function readyMessage(child: ChildProcess, timeoutMs: number): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready after ${timeoutMs / 1_000} s`)), timeoutMs);
    timer.unref();
    child.on('message', (message) => {
      if (typeof message !== 'object' || message === null || (message as { type?: unknown }).type !== 'ready') return;
      clearTimeout(timer);
      resolve(message as unknown as Record<string, unknown>);
    });
  });
}

/** Asks a process to stop, by its pid, and ends it where it does not within the deadline. */
export async function stopProcess(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
  await exited;
  clearTimeout(timer);
}

function openLog(path: string) {
  mkdirSync(dirname(path), { recursive: true });
  try {
    if (statSync(path).size > MAX_LOG_BYTES) truncateSync(path);
  } catch {
    // There is no log yet.
  }
  return createWriteStream(path, { flags: 'a' });
}
