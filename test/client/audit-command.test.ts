import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../adapters/stores/open-store.ts';
import { startRun } from '../support/store-contract/fixtures.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-audit-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function tollgate(...args: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', TOLLGATE_HOME: folder, TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const child = spawn(process.execPath, [BIN, ...args], { cwd: folder, env, stdio: 'pipe' });
  const out: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => out.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out: Buffer.concat(out).toString() };
}

test('an export is verified offline, and a row that was changed in it is named', { timeout: 240_000 }, async () => {
  const store = await openStore({ home: folder, encryption: { store: true } });
  const runKey = await startRun(store);
  await store.appendAudit({ type: 'note', runKey, actor: 'alice', data: { text: 'as it was' } });
  await store.close();
  const anchored = await tollgate('audit', 'anchor');
  const anchor = /anchor: ([0-9a-f]{64})/.exec(anchored.out)?.[1] ?? '';
  const key = (await tollgate('audit', 'key')).out.trim();
  expect(await tollgate('audit', 'export', '--out', 'audit.jsonl')).toMatchObject({ code: 0 });
  const file = join(folder, 'audit.jsonl');
  const text = await readFile(file, 'utf8');
  expect(text).toContain('as it was');
  expect(await tollgate('audit', 'verify', '--file', 'audit.jsonl', '--key', key, '--anchor', anchor)).toMatchObject({
    code: 0,
    out: expect.stringContaining('The audit is whole: 3 rows, 2 chains, 1 anchors, 0 findings.'),
  });
  expect(await tollgate('audit', 'verify', '--run', runKey.agentRunId)).toMatchObject({ code: 0 });
  expect(await tollgate('audit', 'verify', '--file', 'audit.jsonl', '--key', 'another')).toMatchObject({
    code: 1,
    out: expect.stringContaining('badSignature'),
  });
  await writeFile(file, text.replace('as it was', 'as it was not'));
  const tampered = await tollgate('audit', 'verify', '--file', 'audit.jsonl');
  expect(tampered).toMatchObject({ code: 1, out: expect.stringMatching(/^changed: line 4, run:.*, row 2: its contents are not those that were written$/m) });
  expect(await tollgate('audit', 'verify', '--file', 'nowhere.jsonl')).toMatchObject({ code: 2 });
});
