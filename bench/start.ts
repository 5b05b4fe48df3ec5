import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spreadOf, table } from './support/statistics.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** `npm start` on a clone that is set up, to the sample run waiting at its gate. The first one, with an empty data folder, builds the workflow bundle. */
export async function benchStart({ rounds = 5 } = {}): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'tollgate-bench-'));
  const seconds: number[] = [];
  try {
    for (let round = 0; round <= rounds; round += 1) seconds.push(await startOnce(home));
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
  const [first = Number.NaN, ...warm] = seconds;
  const { median, low, high } = spreadOf(warm);
  return table(
    ['npm start to the waiting gate', 'seconds'],
    [
      ['empty data folder', first.toFixed(1)],
      [`warm, ${warm.length} times`, `${median.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`],
    ],
  );
}

async function startOnce(home: string): Promise<number> {
  const startedMs = performance.now();
  // A group of its own, so that Ctrl-C reaches what npm started, as at a terminal.
  const child = spawn('npm', ['start'], { cwd: ROOT, detached: true, env: { ...process.env, TOLLGATE_HOME: home }, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  const seconds = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8');
      if (/Approve it\s+npx tollgate approve/.test(output)) resolve((performance.now() - startedMs) / 1_000);
    });
    child.once('exit', () => reject(new Error(output)));
  });
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await exited;
  process.stderr.write(`${seconds.toFixed(1)} s\n`);
  return seconds;
}
