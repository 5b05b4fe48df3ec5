import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const devFileSchema = z.object({
  /** Process of `tollgate dev`; the file counts only while it is alive. */
  pid: z.int().positive(),
  temporalAddress: z.string().optional(),
  namespace: z.string().optional(),
  uiUrl: z.string().optional(),
  /** Base URL of the simulated provider, where one plays the models. */
  simulatedUrl: z.string().optional(),
});

/** What a running `tollgate dev` tells the other commands in the same data folder. */
export type DevFile = z.infer<typeof devFileSchema>;

/** What `tollgate dev` wrote into the data folder; null where none is running there. Never throws. */
export function readDevFile(home: string): DevFile | null {
  try {
    const parsed = devFileSchema.safeParse(JSON.parse(readFileSync(pathOf(home), 'utf8')));
    return parsed.success && isAlive(parsed.data.pid) ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Takes the data folder for this process. Answers who has it already, or null where it is ours now. */
export function claimDevFile(home: string): DevFile | null {
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
