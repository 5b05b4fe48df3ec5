import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../adapters/stores/open-store.ts';
import type { RunReport } from '../../client/run-report.ts';
import type { RunKey } from '../../contracts/ids.ts';
import { HttpStage } from '../support/http-stage.ts';
import { END, startRun } from '../support/store-contract/fixtures.ts';
import { waitFor } from '../support/wait-for.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const INPUT = '{"message":"zanzibar"}';

let stage: HttpStage;
beforeAll(async () => {
  stage = await new HttpStage().openWithApi();
});
afterAll(() => stage?.close());

async function show(id: string): Promise<RunReport> {
  return JSON.parse((await stage.cli(['runs', 'show', id, '--json'])).stdout) as RunReport;
}

test('a run is started about a person, by CLI or API, and erased by naming the person', async () => {
  const about = ['--subject', 'Ada@example.com', '--tenant', 'acme', '--json', '--input', '-'];
  const direct = await stage.cli(['run', 'hello', '--id', 'direct', '--wait', ...about], INPUT);
  expect(direct.code, direct.stderr).toBe(0);
  const key = await stage.key('shop', ['start', 'read']);
  const remote = await stage.overHttp(key, ['run', 'hello', '--id', 'remote', '--wait', ...about], INPUT);
  expect(remote.code, remote.stderr).toBe(0);
  await stage.cli(['run', 'hello', '--id', 'other', '--wait', '--tenant', 'acme', '--input', '-'], INPUT);
  const erase = ['erase', '--person', 'ada@example.com', '--tenant', 'acme'];
  const unasked = await stage.cli(erase);
  expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining("can't be undone")]);
  expect((await show('direct')).output).toBe('hello');
  const erased = await stage.cli([...erase, '--yes', '--json']);
  expect(erased.code, erased.stderr).toBe(0);
  expect(JSON.parse(erased.stdout)).toMatchObject({ erasedRuns: 2, isComplete: true, temporal: { histories: 2, retentionDays: expect.any(Number) } });
  expect(await Promise.all(['direct', 'remote', 'other'].map(async (id) => (await show(id)).output))).toEqual(['[erased]', '[erased]', 'hello']);
  expect(await show('direct')).toMatchObject({ status: 'completed', message: '[erased]', ledger: { settledUsd: expect.stringMatching(/[1-9]/) } });
  expect(JSON.parse((await stage.cli([...erase, '--yes', '--json'])).stdout)).toMatchObject({ erasedRuns: 0, isComplete: true });
  expect((await stage.overHttp(key, [...erase, '--yes'])).code).toBe(2);
});

test('an erasure that is killed in the middle completes when it is asked again', async () => {
  const store = await openStore({ home: stage.folder, encryption: { store: true } });
  try {
    const runs: RunKey[] = [];
    for (let count = 0; count < 120; count += 1) {
      const run = await startRun(store, { tenant: 'bulk' });
      await store.putNode(run, 'input', { role: 'user', text: 'zanzibar' });
      await store.endRun(run, END, 1);
      runs.push(run);
    }
    const child = spawn(process.execPath, [BIN, 'erase', '--tenant', 'bulk', '--yes'], { env: stage.environment, cwd: stage.folder, stdio: 'ignore' });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    const left = async () => (await store.listErasable({ tenant: 'bulk', notRemoved: ['transcripts'], limit: 1_000 })).length;
    await waitFor('the first runs to be erased', async () => ((await left()) < 115 ? true : null));
    child.kill('SIGKILL');
    await exited;
    expect(await left()).toBeGreaterThan(0);
    const again = await stage.cli(['erase', '--tenant', 'bulk', '--yes', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ tenantKeysDestroyed: true, isComplete: true });
    expect(await left()).toBe(0);
    const reader = await openStore({ home: stage.folder });
    for (const run of runs) expect(await reader.loadTranscript(run, { attemptId: null, nodeIds: ['input'] })).toMatchObject({ type: 'missing' });
    await reader.close();
    expect((await store.listKeys({ kind: 'tenant', tenant: 'bulk', name: '' })).every(({ wrapped }) => wrapped === null)).toBe(true);
  } finally {
    await store.close();
  }
});

test('keys are listed, rotated and published without a secret, and runs go on', async () => {
  const before = JSON.parse((await stage.cli(['keyring', 'list', '--json'])).stdout) as { tenant: string; keyId: string; wrappedBy: string }[];
  expect(before.map(({ tenant }) => tenant)).toContain('acme');
  expect(before.every(({ wrappedBy }) => wrappedBy === 'file')).toBe(true);
  const { keyId } = JSON.parse((await stage.cli(['keyring', 'rotate', '--tenant', 'acme', '--json'])).stdout) as { keyId: string };
  expect(JSON.parse((await stage.cli(['keyring', 'rotate', '--json'])).stdout)).toMatchObject({ keyId: 'root-2', rewrapped: before.length + 1 });
  expect(JSON.parse((await stage.cli(['keyring', 'public-key', '--tenant', 'acme'])).stdout)).toEqual({
    keyId,
    publicKey: expect.stringMatching(/^[\w-]{43}$/),
  });
  const run = await stage.cli(['run', 'hello', '--id', 'rotated', '--wait', '--tenant', 'acme', '--json', '--input', '-'], INPUT);
  expect(JSON.parse(run.stdout)).toMatchObject({ output: 'hello' });
  expect((await show('other')).output).toBe('hello');
});

test('retention removes by the settings, and refuses what it can not read', async () => {
  const env = { ...stage.environment, TOLLGATE_RETAIN_TRANSCRIPTS: '0d' };
  expect((await stage.cli(['retention', 'run', '--json'], '', { ...env, TOLLGATE_RETAIN_TRANSCRIPTS: 'soon' })).stderr).toContain(
    'TOLLGATE_RETAIN_TRANSCRIPTS',
  );
  expect(JSON.parse((await stage.cli(['retention', 'run', '--json'])).stdout)).toEqual({ removed: { transcripts: 0, journals: 0, vault: 0, audit: 0 } });
  expect(JSON.parse((await stage.cli(['retention', 'run', '--json'], '', env)).stdout)).toMatchObject({ removed: { journals: 0 } });
  expect((await show('rotated')).output).toBe('[erased]');
});
