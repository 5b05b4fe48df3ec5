import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { TollgateError } from '../../contracts/failures.ts';
import { stopProcess } from './child-process.ts';
import type { RunningChild } from './supervisor.ts';

const READY_TIMEOUT_MS = 60_000;
const POLL_RATES = ['history.transferProcessorMaxPollRPS=2000', 'history.timerProcessorMaxPollRPS=2000'];
const MAX_LOG_BYTES = 20_000_000;

export interface TemporalServerOptions {
  readonly cliPath: string;
  /** Where data and log are kept. */
  readonly folder: string;
  readonly namespace: string;
  /** Preferred ports; others are taken where these are in use. */
  readonly port?: number;
  readonly uiPort?: number;
  /** The codec server that the Web UI asks for what is sealed. */
  readonly codecEndpoint?: string;
  /** Without the Web UI. */
  readonly headless?: boolean;
  /** Further dynamic configuration, `name=value`. */
  readonly dynamicConfig?: readonly string[];
}

export interface TemporalServer extends RunningChild {
  readonly address: string;
  readonly uiUrl: string;
}

/**
 * Starts a Temporal dev server that keeps its state, and waits until it answers. The flags are measured: the poll rates
 * cut a step from 198 to 33 ms, and WAL with NORMAL survives a kill of the server.
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const { cliPath, folder, namespace, headless = false, dynamicConfig = [], codecEndpoint } = options;
  mkdirSync(folder, { recursive: true });
  const port = await freePort(options.port);
  const uiPort = headless ? 0 : await freePort(options.uiPort);
  const flags = [...POLL_RATES, ...dynamicConfig].flatMap((flag) => ['--dynamic-config-value', flag]);
  const storage = ['--db-filename', join(folder, 'temporal.db'), '--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'];
  const codec = codecEndpoint === undefined ? [] : ['--ui-codec-endpoint', codecEndpoint];
  const ui = headless ? ['--headless'] : ['--ui-port', String(uiPort), ...codec];
  const child = spawn(
    cliPath,
    ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port), '--namespace', namespace, '--log-level', 'warn', ...ui, ...flags, ...storage],
    {
      // A group of its own: Ctrl-C at the terminal reaches us alone, and we stop our children in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const log = openLog(join(folder, 'server.log'));
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const address = `127.0.0.1:${port}`;
  const stop = () => stopProcess(child, exited);
  try {
    await Promise.race([answers(address, namespace), exited.then((how) => Promise.reject(new Error(how)))]);
  } catch (error) {
    await stop();
    throw new TollgateError(
      'temporalUnavailable',
      `The Temporal dev server did not start (${(error as Error).message}). Its log is ${join(folder, 'server.log')}.`,
      { cause: error },
    );
  }
  return { pid: child.pid ?? 0, exited, stop, address, uiUrl: headless ? '' : `http://127.0.0.1:${uiPort}` };
}

async function answers(address: string, namespace: string): Promise<void> {
  const deadlineMs = Date.now() + READY_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1_000 });
      try {
        await connection.workflowService.describeNamespace({ namespace });
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  }
}

/** `preferred` where it is free, else any other. */
export async function freePort(preferred = 0): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? 0;
}

function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : null));
    });
  });
}

function openLog(path: string) {
  try {
    if (statSync(path).size > MAX_LOG_BYTES) truncateSync(path);
  } catch {
    // There is no log yet.
  }
  return createWriteStream(path, { flags: 'a' });
}
