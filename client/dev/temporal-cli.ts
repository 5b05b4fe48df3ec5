import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '../../config/load.ts';
import { TollgateError } from '../../contracts/failures.ts';
import { IS_CLONE, ownScript } from './own-script.ts';

/** The last tag that `go install` takes; newer ones carry a `replace` directive. Server 1.29.1. */
const GO_MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
const DOWNLOAD_TIMEOUT_MS = 20_000;
const PROGRESS_INTERVAL_MS = 10_000;
const NAME = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

const CLONE_CACHE = fileURLToPath(new URL('../../.tollgate/bin', import.meta.url));

/**
 * Where the CLI is kept: in the clone inside it and outside node_modules, for the package among the person's caches. So
 * no `npm ci` throws a build of minutes away, and one of the package is found from every project.
 */
export function cliCache(userCache: string): string {
  return IS_CLONE ? CLONE_CACHE : join(userCache, 'tollgate', 'bin');
}

export interface ResolvedCli {
  readonly path: string;
  readonly source: 'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'download' | 'go build';
}

export interface ResolveOptions {
  /** TEMPORAL_CLI_PATH. */
  readonly configuredPath?: string | undefined;
  readonly cacheFolder?: string;
  readonly onProgress: (line: string) => void;
}

/**
 * Finds the Temporal CLI, which carries the dev server: TEMPORAL_CLI_PATH, PATH, the cache, the download that
 * Temporal's SDK uses, a build from source where Go is installed.
 * @throws TollgateError with the ways out where none works.
 */
export async function resolveTemporalCli({ configuredPath, cacheFolder = CLONE_CACHE, onProgress }: ResolveOptions): Promise<ResolvedCli> {
  if (configuredPath !== undefined) {
    if (works(configuredPath)) return { path: configuredPath, source: 'TEMPORAL_CLI_PATH' };
    throw new TollgateError('temporalUnavailable', `TEMPORAL_CLI_PATH is ${configuredPath}, which does not run ("--version" fails). Correct or unset it.`);
  }
  if (works('temporal')) return { path: 'temporal', source: 'PATH' };
  const cached = cachedCli(cacheFolder);
  if (cached) return { path: cached, source: 'cache' };
  makeCache(cacheFolder);
  onProgress('The Temporal dev server is not on this machine yet; getting it once.');
  const downloaded = await download(cacheFolder, onProgress);
  if (downloaded) return { path: downloaded, source: 'download' };
  const built = await buildFromSource(cacheFolder, onProgress);
  if (built) return { path: built, source: 'go build' };
  throw new TollgateError(
    'temporalUnavailable',
    `The Temporal dev server could not be had. Ways out:
  - install the Temporal CLI (https://docs.temporal.io/cli) so that "temporal" is on PATH, or set TEMPORAL_CLI_PATH to it
  - install Go, and run this again: it is built from source in about three minutes
  - set TEMPORAL_ADDRESS to a Temporal server that runs already`,
  );
}

function makeCache(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new TollgateError(
      'temporalUnavailable',
      `The Temporal dev server is to be kept in ${folder}, which can't be written (${(error as Error).message}). Set XDG_CACHE_HOME to a folder that can, TEMPORAL_CLI_PATH to a Temporal CLI, or TEMPORAL_ADDRESS to a server that runs.`,
      { cause: error },
    );
  }
}

function works(path: string): boolean {
  return spawnSync(path, ['--version'], { timeout: 15_000, stdio: 'ignore' }).status === 0;
}

function cachedCli(folder: string): string | null {
  if (!existsSync(folder)) return null;
  const names = readdirSync(folder).filter((name) => name === NAME || name.startsWith('temporal-cli'));
  return names.map((name) => join(folder, name)).find(works) ?? null;
}

/** In a process of its own: the SDK's native code can't be told to give up. */
async function download(folder: string, onProgress: (line: string) => void): Promise<string | null> {
  onProgress(`Downloading it (giving up after ${DOWNLOAD_TIMEOUT_MS / 1_000} s) …`);
  const { status } = await runWithProgress(process.execPath, [ownScript('scripts/download-temporal'), folder], {}, DOWNLOAD_TIMEOUT_MS, onProgress);
  return status === 0 ? cachedCli(folder) : null;
}

async function buildFromSource(folder: string, onProgress: (line: string) => void): Promise<string | null> {
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    onProgress('The download is not reachable, and Go is not installed to build it.');
    return null;
  }
  onProgress('The download is not reachable; building it from source with Go, about three minutes …');
  const { status, output } = await runWithProgress('go', ['install', GO_MODULE], { GOBIN: folder }, 30 * 60_000, onProgress);
  if (status !== 0) onProgress(`The build failed: ${output.slice(-2_000)}`);
  return status === 0 ? cachedCli(folder) : null;
}

function runWithProgress(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  timeoutMs: number,
  onProgress: (line: string) => void,
): Promise<{ status: number | null; output: string }> {
  return new Promise((resolve) => {
    const startedMs = Date.now();
    const child = spawn(command, args, { env: childEnvironment(env), timeout: timeoutMs, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setInterval(() => onProgress(`  … ${Math.round((Date.now() - startedMs) / 1_000)} s`), PROGRESS_INTERVAL_MS);
    let output = '';
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-20_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const end = (status: number | null) => {
      clearInterval(timer);
      resolve({ status, output });
    };
    child.on('error', () => end(null));
    child.on('close', (status) => end(status));
  });
}
