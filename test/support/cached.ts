import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the clone keeps what can be had again. */
const CACHE = fileURLToPath(new URL('../../.tollgate', import.meta.url));
const POLL_MS = 500;

/** Where `name` is in the clone's cache, made as `stamp` says; null where it is not. Makes nothing. */
export function cachedFolder(name: string, stamp: string): string | null {
  const marker = join(CACHE, name, 'complete');
  return existsSync(marker) && readFileSync(marker, 'utf8') === stamp ? join(CACHE, name) : null;
}

/**
 * The folder `name` of the clone's cache, made once by `make`, which answers null or why it can't. Of several processes that want
 * it one makes it and the others wait. Made anew where `stamp` has changed.
 */
export async function cached(name: string, stamp: string, make: (folder: string) => Promise<string | null>): Promise<{ folder: string } | { missing: string }> {
  const found = cachedFolder(name, stamp);
  if (found !== null) return { folder: found };
  const folder = join(CACHE, name);
  mkdirSync(CACHE, { recursive: true });
  const lock = `${folder}.lock`;
  while (!takeLock(lock)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  try {
    if (cachedFolder(name, stamp) !== null) return { folder };
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    const missing = await make(folder);
    if (missing !== null) return { missing };
    writeFileSync(join(folder, 'complete'), stamp);
    return { folder };
  } finally {
    rmSync(lock, { force: true });
  }
}

/** False while another living process has it. */
function takeLock(path: string): boolean {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!isAlive(Number(readIfThere(path)))) rmSync(path, { force: true });
    return false;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return String(process.pid);
  }
}

function isAlive(pid: number): boolean {
  try {
    // 0 would be the whole group of processes: a lock that is about to be written.
    if (pid !== 0) process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
