import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './wait-for.ts';

const VERSION = '1.108.7';
/** Where the clone keeps what can be had again. */
const HOME = fileURLToPath(new URL(`../../.tollgate/litellm-${VERSION}`, import.meta.url));
const INSTALL_TIMEOUT_MS = 240_000;

export interface LiteLlm {
  readonly version: string;
  /** The `litellm` program. */
  readonly bin: string;
  /** LiteLLM's own price map, as it ships. */
  readonly priceMap: string;
}

/** LiteLLM, installed once into the clone's cache; else why it can't be had. */
export function findLiteLlm(): LiteLlm | { readonly missing: string } {
  if (!existsSync(join(HOME, 'complete'))) {
    const missing = install();
    if (missing !== null) return { missing };
  }
  return installed();
}

/** LiteLLM where the clone has it already; null elsewhere. Installs nothing. */
export function knownLiteLlm(): LiteLlm | null {
  return existsSync(join(HOME, 'complete')) ? installed() : null;
}

function installed(): LiteLlm {
  const [python] = readdirSync(join(HOME, 'venv', 'lib'));
  return {
    version: VERSION,
    bin: join(HOME, 'venv', 'bin', 'litellm'),
    priceMap: join(HOME, 'venv', 'lib', python ?? '', 'site-packages', 'litellm', 'model_prices_and_context_window_backup.json'),
  };
}

function install(): string | null {
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(HOME, { recursive: true });
  process.stdout.write(`Installing LiteLLM ${VERSION} once, about a minute …\n`);
  const venv = join(HOME, 'venv');
  const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
  if (made.error) return 'there is no python3';
  if (made.status !== 0) return `python3 can't make a virtual environment: ${lastLine(made.stdout + made.stderr)}`;
  const pip = (args: readonly string[]) => spawnSync(join(venv, 'bin', args[0] ?? ''), args.slice(1), { encoding: 'utf8', timeout: INSTALL_TIMEOUT_MS });
  const uv = pip(['pip', 'install', '--quiet', '--disable-pip-version-check', 'uv']);
  if (uv.status !== 0) return `pip can't install uv: ${lastLine(uv.stderr)}`;
  // It asks for a certifi of the day of its release, which not every mirror has.
  writeFileSync(join(HOME, 'override.txt'), 'certifi>=2026.6.17\n');
  const added = pip([
    'uv',
    'pip',
    'install',
    '--quiet',
    '--python',
    join(venv, 'bin', 'python'),
    '--override',
    join(HOME, 'override.txt'),
    `litellm[proxy]==${VERSION}`,
  ]);
  if (added.status !== 0) return `uv can't install litellm[proxy]==${VERSION}: ${lastLine(added.stderr)}`;
  writeFileSync(join(HOME, 'complete'), '');
  return null;
}

const lastLine = (text: string | null): string => (text ?? '').trim().split('\n').at(-1) ?? '';

export interface LiteLlmProxy {
  /** With `/v1`. */
  readonly url: string;
  readonly key: string;
  close(): Promise<void>;
}

/** A proxy with this configuration (YAML, of which JSON is a part), on a free port, with files in `folder`. */
export async function startLiteLlm({ bin }: LiteLlm, config: object, folder: string): Promise<LiteLlmProxy> {
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
