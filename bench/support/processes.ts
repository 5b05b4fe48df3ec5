import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc, fixed on Linux (sysconf _SC_CLK_TCK). */
const TICKS_PER_SECOND = 100;

/** CPU that a process has used so far, its threads included, in milliseconds. Linux only. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000;
}

/** The most memory that a process has held at once, in megabytes of 10⁶ bytes. Linux only. */
export function peakRssMb(pid: number): number {
  const kib = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1_024) / 1e6;
}

export interface BenchProcess {
  readonly pid: number;
  /** Ends it and waits for its end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a process and waits until its output has `ready`. @throws with the end of its output where it ends before. */
export async function startProcess(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly ready: string; readonly logPath: string },
): Promise<BenchProcess> {
  const { cwd, env, ready, logPath } = options;
  const child = spawn(command, [...args], { ...(cwd ? { cwd } : {}), env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(logPath, { flags: 'a' });
  let output = '';
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not ready: ${output}`)), 120_000);
    const collect = (chunk: Buffer) => {
      log.write(chunk);
      if (output.length < 100_000) output += chunk.toString('utf8');
      if (!output.includes(ready)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${output.slice(-2_000)}`)));
    child.once('error', reject);
  }).catch(async (error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    pid: child.pid ?? 0,
    async stop(signal = 'SIGKILL') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await exited;
      log.end();
    },
  };
}
