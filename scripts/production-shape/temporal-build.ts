import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from './command.ts';

/** The version that docker-compose.yml runs. */
export const TEMPORAL_VERSION = '1.29.1';
const MODULE = 'go.temporal.io/server';
const CACHE = fileURLToPath(new URL(`../../.tollgate/bin/temporal-server-${TEMPORAL_VERSION}`, import.meta.url));
const BUILD_TIMEOUT_MS = 15 * 60_000;

export interface TemporalBuild {
  readonly serverPath: string;
  readonly sqlToolPath: string;
  /** The module's own files: the configuration template of its image, the schemas. */
  readonly moduleFolder: string;
}

export function hasGo(): boolean {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

/** The Temporal server and its SQL tool, built with Go from their module once and kept beside the project. */
export async function buildTemporal(note: (line: string) => void): Promise<TemporalBuild> {
  // `go install` names a program after its folder.
  const [serverPath, sqlToolPath] = [join(CACHE, 'server'), join(CACHE, 'sql')];
  if (!existsSync(serverPath) || !existsSync(sqlToolPath)) {
    note(`Building the Temporal server ${TEMPORAL_VERSION} from its Go module, once; about three minutes …`);
    mkdirSync(CACHE, { recursive: true });
    const packages = ['cmd/server', 'cmd/tools/sql'].map((folder) => `${MODULE}/${folder}@v${TEMPORAL_VERSION}`);
    await runCommand('go', ['install', ...packages], { env: { ...process.env, GOBIN: CACHE }, timeoutMs: BUILD_TIMEOUT_MS });
  }
  const downloaded = JSON.parse(await runCommand('go', ['mod', 'download', '-json', `${MODULE}@v${TEMPORAL_VERSION}`])) as { Dir: string };
  return { serverPath, sqlToolPath, moduleFolder: downloaded.Dir };
}
