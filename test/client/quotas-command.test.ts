import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../adapters/stores/open-store.ts';
import type { Store } from '../../domain/store/port.ts';
import { auditNotes, newAttempt, startRun, usd } from '../support/store-contract/fixtures.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));

let folder: string;
let store: Store;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-quotas-'));
  await writeFile(join(folder, 'tollgate.config.ts'), 'export default { tasks: [] };\n');
  store = await openStore({ home: folder });
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function tollgate(...args: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', TOLLGATE_HOME: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:1/v1' };
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, env, stdio: 'pipe' });
  const [out, err]: Buffer[][] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out?.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err?.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout: Buffer.concat(out ?? []).toString(), stderr: Buffer.concat(err ?? []).toString() };
}

test('a quota is set, used, shown, changed and taken away, and the audit knows who did it', { timeout: 240_000 }, async () => {
  expect(await tollgate('quotas')).toMatchObject({ code: 0, stdout: expect.stringContaining('No quotas') });
  const made = await tollgate('quotas', 'set', '--tenant', 'acme', '--per', 'day', '--usd', '0.000001', '--json');
  const { quotaId } = JSON.parse(made.stdout) as { quotaId: string };
  const runKey = await startRun(store, { limitNanoUsd: usd(10_000) });
  const attempt = newAttempt(runKey, { reservedNanoUsd: usd(400) });
  await store.reserveAttempt(attempt);
  await store.moveMoney(runKey, attempt.attemptId, { type: 'settle', costNanoUsd: usd(300) });
  await store.reserveAttempt(newAttempt(runKey, { reservedNanoUsd: usd(200) }));

  const listed = await tollgate('quotas', 'list', '--json');
  expect(JSON.parse(listed.stdout)).toMatchObject([
    {
      quotaId,
      tenant: 'acme',
      feature: null,
      per: 'day',
      unit: 'usd',
      limit: '0.000001',
      source: 'command',
      use: [{ settled: '0.0000003', held: '0.0000002' }],
    },
  ]);
  expect((await tollgate('quotas')).stdout).toMatch(/QUOTA.*TENANT.*FREES[\s\S]*acme.*0\.000001 USD.*0\.0000003.*0\.0000002/);
  expect(JSON.parse((await tollgate('quotas', 'show', quotaId, '--json')).stdout)).toMatchObject({ quotaId, use: [{ writtenOff: '0.00', overrun: '0.00' }] });
  expect(await tollgate('quotas', 'set', '--tenant', 'acme', '--per', 'day', '--usd', '2')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Quota ${quotaId}: tenant acme: 2.00 USD a day`),
  });
  expect(await tollgate('quotas', 'remove', quotaId)).toMatchObject({ code: 0 });
  expect(await store.listQuotas()).toEqual([]);
  expect((await auditNotes(store)).map(({ type, actor }) => `${type} ${actor}`)).toEqual([
    'quota.set developer',
    'quota.set developer',
    'quota.removed developer',
  ]);
});

test('a quota that makes no sense is refused with what to write', { timeout: 240_000 }, async () => {
  const refused = await tollgate('quotas', 'set', '--per', 'day', '--usd', '5');
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('neither a tenant nor a feature') });
  expect(await tollgate('quotas', 'set', '--tenant', 'a', '--per', 'week', '--usd', '5')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"minute", "day" or "month"'),
  });
  expect(await tollgate('quotas', 'set', '--tenant', 'a', '--per', 'day', '--tokens', 'many')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('whole number'),
  });
  expect(await tollgate('quotas', 'remove', '99')).toMatchObject({ code: 2, stderr: expect.stringContaining('There is no quota 99') });
  expect(await store.listQuotas()).toEqual([]);
});

test('an open breaker is shown, is a problem for the doctor, and can be reset', { timeout: 240_000 }, async () => {
  expect((await tollgate('breakers')).stdout).toContain('every breaker is closed');
  await store.changeBreaker({ endpoint: 'openai', model: 'gpt-5-mini' }, (_, nowMs) => ({
    status: 'open',
    openedAtMs: nowMs,
    openForMs: 30_000,
    reason: 'timeout',
  }));
  expect(JSON.parse((await tollgate('breakers', 'list', '--json')).stdout)).toMatchObject([
    { endpoint: 'openai', model: 'gpt-5-mini', status: 'open', reason: 'timeout' },
  ]);
  const doctor = JSON.parse((await tollgate('doctor', '--json')).stdout) as { checks: { name: string; status: string; fix?: string }[] };
  expect(doctor.checks.find(({ name }) => name === 'breakers')).toMatchObject({ status: 'problem', fix: expect.stringContaining('breakers reset') });
  expect(await tollgate('breakers', 'reset', 'openai', 'gpt-5-mini')).toMatchObject({ code: 0 });
  expect((await store.readBreaker({ endpoint: 'openai', model: 'gpt-5-mini' })).state.status).toBe('closed');
  expect(await tollgate('breakers', 'reset', 'openai', 'other')).toMatchObject({ code: 2 });
});
