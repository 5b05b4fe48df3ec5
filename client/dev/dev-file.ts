import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const STOP_WAIT_MS = 10_000;
const STOP_LOOK_MS = 100;

const devFileSchema = z.object({
  /** Process of `tollgate dev`; the file counts only while it is alive. */
  pid: z.int().positive(),
  /** The Temporal dev server that it started. */
  temporalPid: z.int().positive().optional(),
  temporalAddress: z.string().optional(),
  namespace: z.string().optional(),
  uiUrl: z.string().optional(),
  /** Base URL of the simulated provider, where one plays the models. */
  simulatedUrl: z.string().optional(),
  /** Base URL of the HTTP API. */
  apiUrl: z.string().optional(),
});

/** What a running `tollgate dev` tells the other commands in the same data folder. */
export type DevFile = z.infer<typeof devFileSchema>;

/** What `tollgate dev` wrote into the data folder; null where none is running there. Never throws. */
export function readDevFile(home: string): DevFile | null {
  const file = read(home);
  return file && isAlive(file.pid) ? file : null;
}

function read(home: string): DevFile | null {
  try {
    return devFileSchema.safeParse(JSON.parse(readFileSync(pathOf(home), 'utf8'))).data ?? null;
  } catch {
    return null;
  }
}

async function stopLeftServer(pid: number | undefined): Promise<void> {
  if (pid === undefined || !isTemporalServer(pid)) return;
  process.kill(pid, 'SIGTERM');
  for (let waitedMs = 0; isAlive(pid) && waitedMs < STOP_WAIT_MS; waitedMs += STOP_LOOK_MS) await sleep(STOP_LOOK_MS);
  if (isTemporalServer(pid)) process.kill(pid, 'SIGKILL');
}

/** Whether the process is a dev server still: its number may have gone to another one since. */
function isTemporalServer(pid: number): boolean {
  if (!isAlive(pid)) return false;
  const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  return typeof stdout === 'string' && stdout.includes('server start-dev');
}

/**
 * Takes the data folder for this process. Answers who has it already, or null where it is ours now. A Temporal server
 * that a killed session left behind is stopped first: two servers would write the same file.
 */
export async function claimDevFile(home: string): Promise<DevFile | null> {
  mkdirSync(home, { recursive: true });
  const own: DevFile = { pid: process.pid };
  for (;;) {
    try {
      writeFileSync(pathOf(home), JSON.stringify(own), { flag: 'wx' });
      return null;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const other = readDevFile(home);
    if (other && other.pid !== process.pid) return other;
    await stopLeftServer(read(home)?.temporalPid);
    rmSync(pathOf(home), { force: true });
  }
}

/** Completes the file that this process has claimed. */
export function writeDevFile(home: string, file: Omit<DevFile, 'pid'>): void {
  writeFileSync(pathOf(home), `${JSON.stringify({ pid: process.pid, ...file }, null, 2)}\n`);
}

/** Removes the file that this process has claimed; one of another process stays. */
export function removeDevFile(home: string): void {
  const file = readDevFile(home);
  if (!file || file.pid === process.pid) rmSync(pathOf(home), { force: true });
}

function pathOf(home: string): string {
  return join(home, 'dev.json');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
