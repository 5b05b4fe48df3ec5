import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ReadyChild, startChild } from '../../client/dev/child-process.ts';
import type { RunningChild } from '../../client/dev/supervisor.ts';
import { freePort } from '../../client/dev/temporal-server.ts';
import { runCommand } from './command.ts';
import { findPostgres, startPostgres } from './postgres.ts';
import { startTemporal } from './temporal.ts';
import { buildTemporal, hasGo } from './temporal-build.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = join(ROOT, 'client', 'cli', 'bin.mjs');
const NAMESPACE = 'default';
const WORKER_READY_MS = 120_000;

export interface TopologyOptions {
  /** The Temporal CLI. */
  readonly cliPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly workers: number;
  /** Further arguments of the simulated provider. */
  readonly providerArgs?: readonly string[];
  /** Further settings of Tollgate's processes. */
  readonly settings?: Readonly<Record<string, string>>;
  note(line: string): void;
}

/** Everything that docker-compose.yml runs, as processes of this machine. */
export interface Topology {
  readonly folder: string;
  readonly temporalAddress: string;
  readonly apiUrl: string;
  /** A key of the API that may do everything. */
  readonly token: string;
  readonly billPath: string;
  /** The environment of Tollgate's processes, for further ones. */
  readonly environment: NodeJS.ProcessEnv;
  readonly workers: readonly ReadyChild[];
  /** The parts with the process ids that they run under. */
  readonly parts: readonly { readonly name: string; readonly pid: number }[];
  startWorker(): Promise<ReadyChild>;
  tollgate(args: readonly string[]): Promise<string>;
  /** Stops every part by its pid, the last started first, and removes the folder. */
  stop(): Promise<void>;
}

/** What this machine lacks, in words; null where everything is there. */
export function missingParts(): string | null {
  const missing = [findPostgres() ? [] : ['Postgres (initdb, postgres)'], hasGo() ? [] : ['Go, which builds the Temporal server']].flat();
  return missing.length === 0 ? null : missing.join(' and ');
}

/** Starts Postgres, Temporal on it, the store in it, a simulated provider, workers and the API. @throws where a part does not start; what ran is stopped. */
export async function startTopology(options: TopologyOptions): Promise<Topology> {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-production-'));
  const started: { readonly name: string; readonly child: RunningChild }[] = [];
  const stop = async () => {
    for (const { child } of started.toReversed()) await child.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    // Postgres runs as a user of its own.
    chmodSync(folder, 0o755);
    return await bringUp(folder, options, { started, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Keeping {
  readonly started: { readonly name: string; readonly child: RunningChild }[];
  stop(): Promise<void>;
}

async function bringUp(folder: string, options: TopologyOptions, { started, stop }: Keeping): Promise<Topology> {
  const { cliPath, note } = options;
  const keep = <Child extends RunningChild>(name: string, child: Child): Child => {
    started.push({ name, child });
    return child;
  };
  const build = await buildTemporal(note);
  const binFolder = findPostgres();
  if (!binFolder) throw new Error('Postgres is not installed here. On Debian: apt-get install postgresql.');
  const passwords = { admin: password(), temporal: password(), tollgate: password() };

  note('Starting Postgres, and Temporal on it …');
  const postgres = keep('Postgres', await startPostgres(binFolder, join(folder, 'postgres'), passwords));
  const { port: postgresPort } = postgres;
  const temporal = keep('Temporal', await startTemporal({ build, cliPath, folder, namespace: NAMESPACE, postgresPort, password: passwords.temporal }));

  const billPath = join(folder, 'bill.jsonl');
  const logs = join(folder, 'logs');
  mkdirSync(logs);
  const providerScript = join(ROOT, 'adapters', 'providers', 'simulated', 'main.ts');
  const providerArgs = ['--bill', billPath, ...(options.providerArgs ?? [])];
  const provider = { name: 'simulated provider', script: providerScript, args: providerArgs, env: options.env, logPath: join(logs, 'provider.log') };
  const simulated = keep('simulated provider', await startChild(provider));
  const listen = `127.0.0.1:${await freePort()}`;
  const environment: NodeJS.ProcessEnv = {
    ...withoutOurs(options.env),
    DATABASE_URL: `postgres://tollgate:${passwords.tollgate}@127.0.0.1:${postgresPort}/tollgate`,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    TOLLGATE_HOME: join(folder, 'home'),
    TOLLGATE_LISTEN: listen,
    TOLLGATE_SIMULATED_URL: String(simulated.ready.url),
    TOLLGATE_LOG_LEVEL: 'warn',
    ...options.settings,
  };

  const tollgate = (args: readonly string[]) => runCommand(process.execPath, [CLI, ...args], { cwd: ROOT, env: environment });
  note('Bringing the store to its schema; starting workers and the API …');
  await tollgate(['migrate']);
  const { secret } = JSON.parse(await tollgate(['keys', 'create', 'production-shape', '--scopes', 'start,read,decide', '--roles', '*', '--json'])) as {
    secret: string;
  };
  const workers: ReadyChild[] = [];
  const startWorker = async () => {
    const number = workers.length + 1;
    const script = join(ROOT, 'worker', 'main.ts');
    const env = { ...environment, TOLLGATE_HEALTH_FILE: join(folder, `worker-${number}.alive`) };
    const worker = await startChild({ name: 'worker', script, env, cwd: ROOT, logPath: join(logs, `worker-${number}.log`), readyTimeoutMs: WORKER_READY_MS });
    workers.push(worker);
    return keep(`worker ${number}`, worker);
  };
  for (let count = 0; count < options.workers; count += 1) await startWorker();
  const api = keep(
    'API',
    await startChild({ name: 'API', script: join(ROOT, 'client', 'http', 'main.ts'), env: environment, cwd: ROOT, logPath: join(logs, 'api.log') }),
  );
  return {
    folder,
    temporalAddress: temporal.address,
    apiUrl: String(api.ready.url),
    token: secret,
    billPath,
    environment,
    workers,
    get parts() {
      return started.map(({ name, child: { pid } }) => ({ name, pid }));
    },
    startWorker,
    tollgate,
    stop,
  };
}

/** Letters and digits, since it stands in a URL. */
function password(): string {
  return randomBytes(16).toString('hex');
}

/** Whatever else is configured here must not reach the processes of the topology. */
function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(TOLLGATE_|TEMPORAL_|OPENAI_|DATABASE_URL)/.test(name)));
}
