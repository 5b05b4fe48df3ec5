import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../adapters/stores/open-store.ts';
import { readCondition, readUntil } from '../../client/cli/standing-commands.ts';
import { decideAll, likeGates } from '../../client/decision-batch.ts';
import { reportGate } from '../../client/gate-report.ts';
import type { Store } from '../../domain/store/port.ts';
import { endOf } from '../support/http-stage.ts';
import { newGate, runKey } from '../support/store-contract/fixtures.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CONFIG = `import { z } from '${pathToFileURL(join(ROOT, 'node_modules/zod/index.js')).href}';
export default { tasks: [{ name: 'support', prompt: 'x', models: ['gpt-5-mini'], maxOutputTokens: 64, budgetUsd: 0.5,
  tools: [
    { name: 'refund', description: 'refunds', parameters: z.object({}), effect: 'irreversible', execute: async () => ({}) },
  ], gates: { irreversible: { role: 'lead' } } }] };\n`;

let folder: string;
let store: Store;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-standing-'));
  await writeFile(join(folder, 'tollgate.config.ts'), CONFIG);
  store = await openStore({ home: folder });
});
afterAll(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function tollgate(as: string, ...args: readonly string[]) {
  const env = {
    PATH: process.env.PATH ?? '',
    TOLLGATE_HOME: folder,
    TOLLGATE_AS: as,
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    TOLLGATE_SIMULATED_URL: 'http://127.0.0.1:1/v1',
  };
  return endOf(process.execPath, [BIN, ...args], { cwd: folder, env });
}

test('stop, stops, resume: thrown and lifted by name, without Temporal', { timeout: 120_000 }, async () => {
  expect(await tollgate('alice:lead', 'stop', '--reason', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('--all') });
  expect(await tollgate('alice:lead', 'stop', '--tool', 'refund', '--all', '--reason', 'x')).toMatchObject({ code: 2 });
  const thrown = await tollgate('alice:lead', 'stop', '--tool', 'refund', '--tenant', 'acme', '--reason', 'it pays twice');
  expect(thrown).toMatchObject({ code: 0, stdout: expect.stringMatching(/Stopped: tool refund, tenant acme\.[\s\S]*npx tollgate resume/) });
  expect((await tollgate('alice:lead', 'stops')).stdout).toMatch(/tool refund, tenant acme .*alice .*stopped .*it pays twice/);
  expect(await tollgate('bob:lead', 'resume', '--tool', 'refund', '--reason', 'x')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('exactly this scope'),
  });
  expect(await tollgate('bob:lead', 'resume', '--tool', 'refund', '--tenant', 'acme', '--reason', 'fixed')).toMatchObject({ code: 0 });
  expect((await tollgate('bob:lead', 'stops')).stdout).toContain('Nothing is stopped.');
  expect(JSON.parse((await tollgate('bob:lead', 'stops', '--all', '--json')).stdout)).toMatchObject([{ by: 'alice', resumed: { by: 'bob', reason: 'fixed' } }]);
});

test('a switch is thrown also where the project does not load', { timeout: 60_000 }, async () => {
  const env = { PATH: process.env.PATH ?? '', TOLLGATE_HOME: folder, TOLLGATE_CONFIG: join(folder, 'nowhere.ts'), TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const thrown = await endOf(process.execPath, [BIN, 'stop', '--all', '--reason', 'mail me at ann@example.com', '--json'], { cwd: folder, env });
  expect(thrown).toMatchObject({ code: 0, stderr: '' });
  expect(thrown.stdout).not.toContain('ann@example.com');
  const { stopId } = JSON.parse(thrown.stdout) as { stopId: string };
  expect(await endOf(process.execPath, [BIN, 'resume', stopId, '--reason', 'tried'], { cwd: folder, env })).toMatchObject({ code: 0 });
});

test('a standing approval is granted, shown, signed and revoked; who lacks the role is told so', { timeout: 120_000 }, async () => {
  const grant = ['standing', 'grant', '--tool', 'refund', '--tenant', 'acme', '--where', 'customer=C-17', '--where', 'amount<=50', '--free', 'note'];
  const limits = ['--times', '10', '--total', 'amount<=300', '--until', '24h', '--json'];
  expect(await tollgate('eve:intern', ...grant, ...limits)).toMatchObject({ code: 2, stderr: expect.stringContaining('asks for the role') });
  const granted = JSON.parse((await tollgate('alice:lead', ...grant, ...limits)).stdout) as { standingId: string; termsDigest: string };
  expect(granted).toMatchObject({
    conditions: [
      { argument: 'customer', op: 'eq', value: 'C-17' },
      { argument: 'amount', op: 'atMost', value: 50 },
    ],
    total: { argument: 'amount', atMost: 300 },
    status: 'live',
  });
  const { standingId, termsDigest } = granted;
  expect((await tollgate('bob:lead', 'standing', 'sign', standingId, '--digest', termsDigest)).stdout).toContain('granted by alice, bob');
  expect((await tollgate('bob:lead', 'standing')).stdout).toMatch(
    /live +0\/10 +alice, bob +refund for acme where customer = "C-17", amount ≤ 50, at most 10 times, amount at most 300 in all/,
  );
  expect((await tollgate('bob:lead', 'standing', 'revoke', standingId, '--reason', 'over')).stdout).toContain('revoked by bob');
  expect((await tollgate('bob:lead', 'standing', 'list')).stdout).toContain('No standing approvals');
});

test('a delegation is given, listed and taken back', { timeout: 120_000 }, async () => {
  expect(await tollgate('alice:lead', 'delegate', '--to', 'bob', '--role', 'cfo', '--until', '7d')).toMatchObject({ code: 2 });
  const { delegationId } = JSON.parse((await tollgate('alice:lead', 'delegate', '--to', 'bob', '--role', 'lead', '--until', '7d', '--json')).stdout) as {
    delegationId: string;
  };
  expect((await tollgate('carol:lead', 'delegations')).stdout).toMatch(/live +bob for alice +lead +\(all\)/);
  expect(await tollgate('alice:lead', 'delegations', 'revoke', delegationId, '--reason', 'back')).toMatchObject({ code: 0 });
  expect((await tollgate('carol:lead', 'delegations')).stdout).toContain('Nobody stands for anybody.');
});

test('many gates are not approved without naming each', { timeout: 120_000 }, async () => {
  expect(await tollgate('alice:lead', 'approve', '--all-like', 'x')).toMatchObject({ code: 2, stderr: expect.stringContaining('must name what it approves') });
  expect(await tollgate('alice:lead', 'approve')).toMatchObject({ code: 2 });
  await writeFile(join(folder, 'batch.jsonl'), '{"approvalId":"x","actionDigest":"y"}\n{"approvalId":"z"}\n');
  expect(await tollgate('alice:lead', 'approve', '--batch', 'batch.jsonl')).toMatchObject({ code: 2, stderr: expect.stringContaining('Line 2') });
});

describe('what people write', () => {
  test('conditions are read as they are meant', () => {
    expect(readCondition('customer=C-17')).toEqual({ argument: 'customer', op: 'eq', value: 'C-17' });
    expect(readCondition('url=https://x/?a=b')).toEqual({ argument: 'url', op: 'eq', value: 'https://x/?a=b' });
    expect(readCondition('count = 5')).toEqual({ argument: 'count', op: 'eq', value: 5 });
    expect(readCondition('count="5"')).toEqual({ argument: 'count', op: 'eq', value: '5' });
    expect(readCondition('amount<=12.5')).toEqual({ argument: 'amount', op: 'atMost', value: 12.5 });
    expect(readCondition('currency in EUR, USD')).toEqual({ argument: 'currency', op: 'in', values: ['EUR', 'USD'] });
    for (const text of ['', 'amount', 'amount<5', 'amount<=much', '=5', 'x={"a":1}', 'amount<=-1'])
      expect(() => readCondition(text)).toThrow('is no condition');
  });

  test('a time from now, or as it stands', () => {
    expect(readUntil('24h', 0)).toBe('1970-01-02T00:00:00.000Z');
    expect(readUntil('30m', 0)).toBe('1970-01-01T00:30:00.000Z');
    expect(readUntil('2026-01-01T00:00:00Z', 0)).toBe('2026-01-01T00:00:00Z');
  });
});

test('gates are alike where only their arguments differ', () => {
  const one = reportGate(newGate(runKey()));
  const like = reportGate(newGate(runKey(), { arguments: { order: 'W2' } }));
  const others = [{ tool: 'pay' }, { toolVersion: '2' }, { destination: 'elsewhere' }, { kind: 'inDoubt' }, { occurrence: 1 }, { status: 'approved' }].map(
    (change) => reportGate(newGate(runKey(), change as object)),
  );
  expect(likeGates(one, [...others, one, like])).toEqual([one, like]);
});

test('what goes wrong with one decision of a batch is that one’s answer', async () => {
  const { TollgateError } = await import('../../contracts/failures.ts');
  const accepted = { type: 'accepted', gateStatus: 'approved', message: 'ok' } as const;
  const door = {
    approve: async (id: string) => {
      if (id === 'b') throw new TollgateError('temporalUnavailable', 'No Temporal.');
      return accepted;
    },
    deny: async () => accepted,
  };
  const decisions = ['a', 'b', 'c'].map((approvalId) => ({ approvalId, actionDigest: 'x' }));
  expect(await decideAll(door as never, { verdict: 'approve', decisions })).toEqual([
    { approvalId: 'a', answer: accepted },
    { approvalId: 'b', answer: { type: 'undecided', message: 'No Temporal.' } },
    { approvalId: 'c', answer: accepted },
  ]);
});
