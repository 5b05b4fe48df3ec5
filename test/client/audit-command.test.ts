import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAnchorKey } from '../../adapters/keys/anchor-key.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import { urlOf } from '../../client/http/app.ts';
import { anchorAudit } from '../../domain/audit/anchor.ts';
import { openApiFixture } from '../support/http-api.ts';
import { verified } from '../support/store-contract/audit-contract.ts';
import { startRun } from '../support/store-contract/fixtures.ts';

const BIN = fileURLToPath(new URL('../../client/cli/bin.mjs', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-audit-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const tollgate = (...args: readonly string[]) => tollgateIn({}, ...args);

async function tollgateIn(settings: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', TOLLGATE_HOME: folder, TEMPORAL_ADDRESS: '127.0.0.1:1', ...settings };
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

test('with TOLLGATE_URL an auditor exports and verifies through the API, and sees the own tenant alone', { timeout: 240_000 }, async () => {
  const api = await openApiFixture();
  try {
    await startRun(api.store, { tenant: 'globex' });
    await anchorAudit(api.store, openAnchorKey(folder), 5);
    await api.app.listen({ host: '127.0.0.1', port: 0 });
    const through = (secret: string) => ({ TOLLGATE_URL: urlOf(api.app), TOLLGATE_TOKEN: secret });
    const { secret } = await api.key({ scopes: ['read'], tenant: 'acme' });
    const exported = await tollgateIn(through(secret), 'audit', 'export', '--run', api.run.agentRunId, '--from', '2020-01-01');
    expect(exported.code).toBe(0);
    const lines = exported.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(verified(lines)).toMatchObject({ isIntact: true, rows: 3 });
    expect(exported.out).not.toContain('globex');
    expect(await tollgateIn(through(secret), 'audit', 'verify')).toMatchObject({ code: 0, out: expect.stringContaining('The audit is whole: 3 rows') });
    expect(await tollgateIn(through(secret), 'audit', 'verify', '--tenant', 'globex')).toMatchObject({ code: 2, out: expect.stringContaining('tenant') });
    expect(await tollgateIn(through((await api.key({ scopes: ['start'], name: 'x' })).secret), 'audit', 'export')).toMatchObject({ code: 2 });
  } finally {
    await api.close();
  }
});

test('an export that the API breaks off is an error, and never taken for the whole', { timeout: 120_000 }, async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.end('{"tollgateAudit":1,"exportedAtMs":1,"selection":{}}\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await tollgateIn({ TOLLGATE_URL: url }, 'audit', 'export')).toMatchObject({ code: 2, out: expect.stringContaining('broke off') });
  } finally {
    server.close();
  }
});
