import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { freePort } from '../../client/dev/temporal-server.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';
const READY_TIMEOUT_MS = 30_000;
const USER = 'tollgate';
/** So that a test can look for it where it must not be. */
export const PASSWORD = 'open-sesame-7351';

/** The folder with `initdb` and `postgres`; null where this machine has none. */
export function postgresFolder(): string | null {
  const versions = existsSync(DEBIAN_FOLDER) ? readdirSync(DEBIAN_FOLDER).toSorted((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => join(DEBIAN_FOLDER, version, 'bin')), ...(process.env.PATH ?? '').split(':')];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ?? null;
}

/** Whether tests with a real Postgres can run here; says so where they can't. */
export function hasPostgres(): boolean {
  if (postgresFolder() && serverUser()) return true;
  console.log('Skipped: there is no Postgres server here (initdb and postgres), or no user "postgres" to run it as. On Debian: apt-get install postgresql.');
  return false;
}

/** Postgres refuses to run as root. Null where there is nobody else to run it as. */
function serverUser(): { readonly uid?: number; readonly gid?: number } | null {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout.trim() || Number.NaN));
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid: uid as number, gid: gid as number } : null;
}

/** A real Postgres server in a folder of its own on a free port. */
export class PostgresServer {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tollgate-postgres-'));
  readonly #binaries = postgresFolder() ?? '';
  readonly #user = serverUser() ?? {};
  readonly #flags: readonly string[];
  #child: ChildProcess | null = null;
  #port = 0;

  /** `flags` of the server, e.g. `max_connections=10`. What is written survives a kill of the server, not a power cut, unless `fsync=on`. */
  constructor(flags: readonly string[] = []) {
    this.#flags = ['fsync=off', ...flags];
  }

  async open(): Promise<this> {
    const { uid, gid } = this.#user;
    const passwordFile = join(this.#folder, 'password');
    writeFileSync(passwordFile, PASSWORD);
    if (uid !== undefined && gid !== undefined) for (const path of [this.#folder, passwordFile]) chownSync(path, uid, gid);
    const initdb = ['-D', this.#data, '-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '-E', 'UTF8', '--locale=C'];
    execFileSync(join(this.#binaries, 'initdb'), initdb, { ...this.#user, cwd: this.#folder, stdio: 'ignore' });
    await this.start();
    return this;
  }

  get #data(): string {
    return join(this.#folder, 'data');
  }

  async start(): Promise<void> {
    this.#port = await freePort(this.#port);
    const flags = ['listen_addresses=127.0.0.1', ...this.#flags].flatMap((flag) => ['-c', flag]);
    this.#child = spawn(join(this.#binaries, 'postgres'), ['-D', this.#data, '-p', String(this.#port), '-k', this.#folder, ...flags], {
      ...this.#user,
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-4_000);
    });
    for (const startedMs = Date.now(); ; await sleep(50)) {
      try {
        return await this.sql('postgres', 'SELECT 1').then(() => undefined);
      } catch (error) {
        if (this.#child.exitCode !== null || Date.now() - startedMs > READY_TIMEOUT_MS)
          throw new Error(`Postgres did not start (${(error as Error).message}):\n${log}`);
      }
    }
  }

  /** `SIGINT` ends sessions and stops in order; `SIGQUIT` stops at once, as a crash does. */
  async stop(signal: 'SIGINT' | 'SIGQUIT' = 'SIGINT'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** The address of a database of this server. */
  url(database: string): string {
    return `postgres://${USER}:${PASSWORD}@127.0.0.1:${this.#port}/${database}`;
  }

  /** A new, empty database; answers its address. */
  async createDatabase(): Promise<string> {
    const name = `t${randomUUID().replaceAll('-', '')}`;
    await this.sql('postgres', `CREATE DATABASE ${name}`);
    return this.url(name);
  }

  /** Runs SQL on a connection of its own. `database` is a name or an address. */
  async sql(database: string, text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: database.includes('://') ? database : this.url(database) });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** The postmaster, for tests that freeze it. */
  get pid(): number {
    return Number(readFileSync(join(this.#data, 'postmaster.pid'), 'utf8').split('\n')[0]);
  }

  async close(): Promise<void> {
    await this.stop('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
