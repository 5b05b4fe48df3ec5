import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimDevFile, readDevFile, removeDevFile } from '../../client/dev/dev-file.ts';
import { type DevParts, runDevSession } from '../../client/dev/dev-session.ts';
import { type RunningChild, supervise } from '../../client/dev/supervisor.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'tollgate-dev-'));
});
afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

class FakeChild implements RunningChild {
  readonly pid = 1;
  readonly exited: Promise<string>;
  readonly #stops: string[];
  readonly #name: string;
  end: (how: string) => void = () => undefined;
  constructor(name: string, stops: string[]) {
    this.#name = name;
    this.#stops = stops;
    this.exited = new Promise((resolve) => {
      this.end = resolve;
    });
  }
  async stop(): Promise<void> {
    this.#stops.push(this.#name);
    this.end('stopped');
  }
}

function session(changes: Partial<DevParts> = {}) {
  const stops: string[] = [];
  const printed: string[] = [];
  let stop: () => void = () => undefined;
  const parts: DevParts = {
    home,
    namespace: 'default',
    temporalAddress: null,
    simulatedUrl: null,
    hasKey: false,
    startTemporal: async () => Object.assign(new FakeChild('temporal', stops), { address: '127.0.0.1:7000', uiUrl: 'http://127.0.0.1:8000' }),
    startProvider: async () => Object.assign(new FakeChild('provider', stops), { url: 'http://127.0.0.1:9000/v1' }),
    startWorker: async () => new FakeChild('worker', stops),
    startApi: async () => Object.assign(new FakeChild('api', stops), { url: 'http://127.0.0.1:7480' }),
    openSample: async () => Promise.reject(new Error('no sample here')),
    print: (line) => printed.push(line),
    note: () => undefined,
    stopped: new Promise((resolve) => {
      stop = resolve;
    }),
    ...changes,
  };
  return { parts, stops, printed, stop: () => stop() };
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds() && tries < 200; tries += 1) await sleep(10);
  expect(holds()).toBe(true);
}

test('a session says where things are, and stops what it started, last first', async () => {
  const { parts, stops, printed, stop } = session();
  const running = runDevSession(parts, { sample: false });
  await until(() => printed.some((line) => line.includes('Ctrl-C')));
  expect(readDevFile(home)).toMatchObject({
    pid: process.pid,
    temporalAddress: '127.0.0.1:7000',
    simulatedUrl: 'http://127.0.0.1:9000/v1',
    apiUrl: 'http://127.0.0.1:7480',
  });
  expect(printed.join('\n')).toContain('SIMULATED');
  expect(printed.join('\n')).toContain('http://127.0.0.1:7480/v1');
  stop();
  await running;
  expect(stops).toEqual(['api', 'worker', 'provider', 'temporal']);
  expect(existsSync(join(home, 'dev.json'))).toBe(false);
});

test('with a key nothing is simulated, and with a server of your own none is started', async () => {
  const { parts, stops, printed, stop } = session({ hasKey: true, temporalAddress: 'temporal.example:7233' });
  const running = runDevSession(parts, { sample: false });
  await until(() => printed.some((line) => line.includes('Ctrl-C')));
  expect(printed.join('\n')).not.toContain('SIMULATED');
  expect(readDevFile(home)?.simulatedUrl).toBeUndefined();
  stop();
  await running;
  expect(stops).toEqual(['api', 'worker']);
});

test('a part that does not start stops the others and leaves nothing behind', async () => {
  const { parts, stops } = session({ startWorker: async () => Promise.reject(new Error('no worker')) });
  await expect(runDevSession(parts, { sample: false })).rejects.toThrow('no worker');
  expect(stops).toEqual(['provider', 'temporal']);
  expect(existsSync(join(home, 'dev.json'))).toBe(false);
});

test('a second session in the same data folder is told of the first and changes nothing', async () => {
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30000)'], { stdio: 'ignore' });
  try {
    await writeFile(join(home, 'dev.json'), JSON.stringify({ pid: other.pid, uiUrl: 'http://127.0.0.1:8233' }));
    const { parts, stops } = session();
    await expect(runDevSession(parts, { sample: false })).rejects.toThrow(`process ${other.pid}`);
    expect(stops).toEqual([]);
    removeDevFile(home);
    expect(readDevFile(home)?.pid).toBe(other.pid);
  } finally {
    other.kill();
  }
});

test('what a killed session left behind is taken over', async () => {
  await writeFile(join(home, 'dev.json'), JSON.stringify({ pid: 2 ** 22 + 1, temporalPid: 2 ** 22 + 2 }));
  expect(readDevFile(home)).toBeNull();
  expect(await claimDevFile(home)).toBeNull();
  await writeFile(join(home, 'dev.json'), 'not json');
  expect(await claimDevFile(home)).toBeNull();
});

test('a process that ends by itself is started again, one that was stopped is not', async () => {
  const stops: string[] = [];
  const children: FakeChild[] = [];
  const start = async () => {
    const child = new FakeChild('worker', stops);
    children.push(child);
    return child;
  };
  const supervised = await supervise('worker', start, () => undefined);
  children[0]?.end('SIGKILL');
  await until(() => children.length === 2);
  await supervised.stop();
  await sleep(20);
  expect(children).toHaveLength(2);
  expect(stops).toEqual(['worker']);
});
