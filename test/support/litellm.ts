import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { cached, cachedFolder } from './cached.ts';
import { waitFor } from './wait-for.ts';

const VERSION = '1.108.7';
const NAME = `litellm-${VERSION}`;
/** The proxy, and what it sends spans of its own with. */
const PACKAGES = [`litellm[proxy]==${VERSION}`, 'opentelemetry-sdk==1.45.2', 'opentelemetry-exporter-otlp-proto-http==1.45.2'];
const STAMP = PACKAGES.join('\n');
const INSTALL_TIMEOUT_MS = 240_000;

export interface LiteLlm {
  readonly version: string;
  /** The `litellm` program. */
  readonly bin: string;
  /** LiteLLM's own price map, as it ships. */
  readonly priceMap: string;
}

/** LiteLLM, installed once into the clone's cache; else why it can't be had. */
export async function findLiteLlm(): Promise<LiteLlm | { readonly missing: string }> {
  const found = await cached(NAME, STAMP, install);
  return 'missing' in found ? found : installed(found.folder);
}

/** LiteLLM where the clone has it already; null elsewhere. Installs nothing. */
export function knownLiteLlm(): LiteLlm | null {
  const folder = cachedFolder(NAME, STAMP);
  return folder === null ? null : installed(folder);
}

function installed(folder: string): LiteLlm {
  const [python] = readdirSync(join(folder, 'venv', 'lib'));
  return {
    version: VERSION,
    bin: join(folder, 'venv', 'bin', 'litellm'),
    priceMap: join(folder, 'venv', 'lib', python ?? '', 'site-packages', 'litellm', 'model_prices_and_context_window_backup.json'),
  };
}

async function install(folder: string): Promise<string | null> {
  process.stdout.write(`Installing LiteLLM ${VERSION} once, about a minute …\n`);
  const venv = join(folder, 'venv');
  const made = await run('python3', ['-m', 'venv', venv]);
  if (made !== null) return `python3 can't make a virtual environment: ${made}`;
  const uv = await run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', 'uv']);
  if (uv !== null) return `pip can't install uv: ${uv}`;
  // It asks for a certifi of the day of its release, which not every mirror has.
  const overrides = join(folder, 'override.txt');
  writeFileSync(overrides, 'certifi>=2026.6.17\n');
  const options = ['--quiet', '--python', join(venv, 'bin', 'python'), '--override', overrides];
  const added = await run(join(venv, 'bin', 'uv'), ['pip', 'install', ...options, ...PACKAGES]);
  return added === null ? null : `uv can't install ${PACKAGES.join(' ')}: ${added}`;
}

/** Null, or the last line of why it failed. */
function run(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: INSTALL_TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) =>
      resolve(error ? ((stdout + stderr).trim().split('\n').at(-1) ?? '') || error.message : null),
    );
  });
}

export interface LiteLlmProxy {
  /** With `/v1`. */
  readonly url: string;
  readonly key: string;
  close(): Promise<void>;
}

/** A proxy with this configuration (YAML, of which JSON is a part), on a free port, with files in `folder`. */
export async function startLiteLlm({ bin }: LiteLlm, config: object, folder: string, variables: NodeJS.ProcessEnv = {}): Promise<LiteLlmProxy> {
  const [port, key] = [await freePort(), `sk-${randomBytes(24).toString('hex')}`];
  const [configPath, logPath] = [join(folder, 'litellm.yaml'), join(folder, 'litellm.log')];
  writeFileSync(configPath, JSON.stringify(config));
  const log = openSync(logPath, 'a');
  const child = spawn(bin, ['--config', configPath, '--host', '127.0.0.1', '--port', String(port), '--num_workers', '1'], {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      PATH: `${join(bin, '..')}:${process.env.PATH}`,
      LITELLM_MASTER_KEY: key,
      // Without these it asks the network for prices and sends telemetry.
      LITELLM_LOCAL_MODEL_COST_MAP: 'True',
      LITELLM_TELEMETRY: 'False',
      DISABLE_ADMIN_UI: 'True',
      ...variables,
    },
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const close = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(late);
  };
  const origin = `http://127.0.0.1:${port}`;
  try {
    await waitFor('the LiteLLM proxy', async () => child.exitCode === null && (await fetch(`${origin}/health/liveliness`)).ok, 120_000);
  } catch (error) {
    await close();
    throw new Error(`LiteLLM did not start: ${readFileSync(logPath, 'utf8').slice(-2_000)}`, { cause: error });
  }
  return { url: `${origin}/v1`, key, close };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
