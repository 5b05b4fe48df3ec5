import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** No language model is on PyPI: with this package alone Presidio has its patterns. */
export const PRESIDIO_PACKAGE = 'presidio-analyzer==2.2.366';
const CACHE = fileURLToPath(new URL('../../.tollgate/presidio', import.meta.url));
const SERVER = fileURLToPath(new URL('./presidio-server.py', import.meta.url));

/** A Python with Presidio in the project's cache, installed at first use, or why there is none. */
export function presidioPython(): { readonly python: string } | { readonly missing: string } {
  const venv = join(CACHE, 'venv');
  const python = join(venv, 'bin', 'python');
  const marker = join(venv, PRESIDIO_PACKAGE);
  if (existsSync(marker)) return { python };
  mkdirSync(CACHE, { recursive: true });
  const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
  if (made.error) return { missing: 'there is no python3' };
  if (made.status !== 0) return { missing: `python3 can't make a virtual environment: ${made.stdout}${made.stderr}` };
  const installed = spawnSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', PRESIDIO_PACKAGE], {
    encoding: 'utf8',
    timeout: 280_000,
  });
  if (installed.status !== 0) return { missing: `pip can't install ${PRESIDIO_PACKAGE}: ${(installed.stderr ?? '').trim().split('\n').at(-1)}` };
  writeFileSync(marker, '');
  return { python };
}

export interface PresidioServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts the analyzer; `words` are the names and places it knows, by entity. */
export async function startPresidio(python: string, words: Readonly<Record<string, readonly string[]>> = {}): Promise<PresidioServer> {
  const child = spawn(python, [SERVER], { env: { ...process.env, PRESIDIO_WORDS: JSON.stringify(words) }, stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let said = '';
  let complained = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complained = (complained + chunk.toString('utf8')).slice(-2_000);
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8');
      const listening = /listening on (\d+)/.exec(said)?.[1];
      if (listening) resolve(listening);
    });
    child.once('exit', (code) => reject(new Error(`Presidio ended with ${code}: ${complained}`)));
  });
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
