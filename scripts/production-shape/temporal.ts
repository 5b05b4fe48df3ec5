import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../client/dev/temporal-server.ts';
import type { RunningChild } from '../../client/dev/supervisor.ts';
import { runCommand, startServer } from './command.ts';
import type { TemporalBuild } from './temporal-build.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/temporal/', import.meta.url));
const SERVICES = ['FRONTEND', 'HISTORY', 'MATCHING', 'WORKER'] as const;

export interface TemporalOptions {
  readonly build: TemporalBuild;
  readonly cliPath: string;
  readonly folder: string;
  readonly namespace: string;
  readonly postgresPort: number;
  readonly password: string;
}

export interface Temporal extends RunningChild {
  readonly address: string;
}

/** What the server's configuration template reads: the same variables as in docker-compose.yml, and the ports, which a container has for itself. */
export function serverEnvironment({ postgresPort, password }: { readonly postgresPort: number; readonly password: string }): Record<string, string> {
  return {
    DB: 'postgres12',
    DB_PORT: String(postgresPort),
    // The template takes DB_PORT for one of the two databases only.
    VISIBILITY_DB_PORT: String(postgresPort),
    POSTGRES_SEEDS: '127.0.0.1',
    POSTGRES_USER: 'temporal',
    POSTGRES_PWD: password,
    NUM_HISTORY_SHARDS: '128',
    BIND_ON_IP: '127.0.0.1',
    DYNAMIC_CONFIG_FILE_PATH: join(DEPLOY, 'dynamic-config.yaml'),
    LOG_LEVEL: 'warn',
  };
}

/** Schema, server with its four services in one process, namespace: by the scripts that the containers run. */
export async function startTemporal(options: TemporalOptions): Promise<Temporal> {
  const { build, folder, namespace, postgresPort, password } = options;
  const env = { ...process.env, PATH: `${toolFolder(options)}:${process.env.PATH ?? ''}` };
  const schema = {
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: '127.0.0.1',
    SQL_PORT: String(postgresPort),
    SQL_USER: 'temporal',
    SQL_PASSWORD: password,
    TEMPORAL_SCHEMA_FOLDER: join(build.moduleFolder, 'schema', 'postgresql', 'v12'),
  };
  const setUpSchema = () => runCommand('sh', [join(DEPLOY, 'setup-schema.sh')], { env: { ...env, ...schema } });
  await setUpSchema();
  // A stack that is started again runs it again.
  await setUpSchema();

  const { ports, frontendPort } = await servicePorts();
  const address = `127.0.0.1:${frontendPort}`;
  const server = startServer(build.serverPath, ['--root', build.moduleFolder, '--config', 'config', '--env', 'docker', '--allow-no-auth', 'start'], {
    env: { ...env, ...serverEnvironment({ postgresPort, password }), ...ports },
    logPath: join(folder, 'temporal.log'),
  });
  const register = { ...env, TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace, TEMPORAL_RETENTION: '72h' };
  try {
    const ended = server.exited.then((how) => Promise.reject(new Error(`The Temporal server ended (${how}); its log is ${join(folder, 'temporal.log')}.`)));
    await Promise.race([runCommand('sh', [join(DEPLOY, 'create-namespace.sh')], { env: register }), ended]);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { ...server, address };
}

/** A folder for PATH in which the tools have the names of the images. */
function toolFolder({ build, cliPath, folder }: TemporalOptions): string {
  const tools = join(folder, 'bin');
  mkdirSync(tools, { recursive: true });
  symlinkSync(build.sqlToolPath, join(tools, 'temporal-sql-tool'));
  // Where it is found on PATH, it has its name already.
  if (dirname(cliPath) !== '.') symlinkSync(cliPath, join(tools, 'temporal'));
  return tools;
}

async function servicePorts(): Promise<{ readonly ports: Record<string, string>; readonly frontendPort: string }> {
  const names = [...SERVICES.flatMap((service) => [`${service}_GRPC_PORT`, `${service}_MEMBERSHIP_PORT`]), 'FRONTEND_HTTP_PORT'];
  const ports: Record<string, string> = {};
  for (const name of names) ports[name] = String(await smallPort(Object.values(ports)));
  return { ports, frontendPort: ports.FRONTEND_GRPC_PORT ?? '' };
}

/** A free port below 32768: Temporal's Postgres schema keeps ports as SMALLINT, and the system gives out none that low. */
async function smallPort(taken: readonly string[]): Promise<number> {
  for (;;) {
    const wanted = 12_000 + Math.floor(Math.random() * 20_000);
    if (!taken.includes(String(wanted)) && (await freePort(wanted)) === wanted) return wanted;
  }
}
