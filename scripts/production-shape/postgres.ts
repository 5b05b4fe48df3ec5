import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../client/dev/temporal-server.ts';
import type { RunningChild } from '../../client/dev/supervisor.ts';
import { runCommand, startServer, untilReady } from './command.ts';

const INIT_SCRIPT = fileURLToPath(new URL('../../deploy/postgres/init.sh', import.meta.url));
/** Debian keeps the server's programs out of PATH. */
const DEBIAN_FOLDER = '/usr/lib/postgresql';

export interface Postgres extends RunningChild {
  readonly port: number;
}

export interface Passwords {
  readonly admin: string;
  readonly temporal: string;
  readonly tollgate: string;
}

/** The folder of Postgres' own programs; null where it is not installed. */
export function findPostgres(): string | null {
  const debian = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER).map((version) => join(DEBIAN_FOLDER, version, 'bin')) : [];
  const asked = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' });
  const candidates = [...debian.sort().reverse(), ...(asked.status === 0 ? [asked.stdout.trim()] : [])];
  return candidates.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null;
}

/** Starts Postgres with a data folder of its own and makes its roles and databases as `deploy/postgres/init.sh` does in a container. */
export async function startPostgres(binFolder: string, folder: string, passwords: Passwords): Promise<Postgres> {
  // initdb refuses to run as root.
  const user = process.getuid?.() === 0 ? await systemUser('postgres') : null;
  mkdirSync(folder, { recursive: true });
  const passwordFile = join(folder, 'admin-password');
  writeFileSync(passwordFile, passwords.admin, { mode: 0o600 });
  if (user) for (const path of [folder, passwordFile]) chownSync(path, user.uid, user.gid);

  const data = join(folder, 'data');
  const env = { ...process.env, PATH: `${binFolder}:${process.env.PATH ?? ''}` };
  const initialise = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--no-locale', '--no-sync'];
  await runCommand(join(binFolder, 'initdb'), initialise, { user, cwd: folder, env });
  const port = await freePort();
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200'].flatMap((setting) => ['-c', setting]);
  const server = startServer(join(binFolder, 'postgres'), ['-D', data, ...settings], { user, cwd: folder, env, logPath: `${folder}.log` });
  const asAdmin = { ...env, PGHOST: '127.0.0.1', PGPORT: String(port), PGPASSWORD: passwords.admin };
  try {
    await untilReady('Postgres', server, 30_000, () => runCommand(join(binFolder, 'pg_isready'), [], { env: asAdmin }));
    const roles = { POSTGRES_USER: 'postgres', TEMPORAL_DB_PASSWORD: passwords.temporal, TOLLGATE_DB_PASSWORD: passwords.tollgate };
    await runCommand('sh', [INIT_SCRIPT], { env: { ...asAdmin, ...roles } });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, port };
}

async function systemUser(name: string): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (flag) => Number(await runCommand('id', [flag, name]))));
  return { uid: uid ?? 0, gid: gid ?? 0 };
}
