import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { exports: Record<string, string | Record<string, string>> };
const entries = Object.entries(exports).filter((entry): entry is [string, Record<string, string>] => typeof entry[1] === 'object');

test.each(entries)('the entry point %s has its source, and what is built from it where the compiler puts it', (_name, conditions) => {
  const source = conditions['tollgate-source'] ?? '';
  expect(existsSync(fileURLToPath(new URL(source, ROOT)))).toBe(true);
  const built = source.replace('./', './dist/').replace(/\.ts$/, '');
  // The first condition that holds counts: the sources have to come before what was built.
  expect(Object.entries(conditions)).toEqual([
    ['tollgate-source', source],
    ['types', `${built}.d.ts`],
    ['default', `${built}.js`],
  ]);
});

test('a self-reference leads to the sources, where it is one module with what a relative import gives', async () => {
  const [own, relative] = [await import('tollgate'), await import('../../index.ts')];
  expect(own.TollgateError).toBe(relative.TollgateError);
  expect(Object.keys(await import('tollgate/client'))).toContain('createAgentClient');
  expect(Object.keys(await import('tollgate/worker'))).toContain('startTollgateWorker');
  expect(Object.keys(await import('tollgate/workflows'))).toEqual(expect.arrayContaining(['agentRun', 'agentWorkflow', 'callModel', 'runChildAgent']));
});

test('an installed CLI says which Node it needs, and starts nothing under an older one', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-bin-'));
  try {
    mkdirSync(join(folder, 'client', 'cli'), { recursive: true });
    mkdirSync(join(folder, 'dist', 'client', 'cli'), { recursive: true });
    copyFileSync(new URL('client/cli/bin.mjs', ROOT), join(folder, 'client', 'cli', 'bin.mjs'));
    writeFileSync(join(folder, 'dist', 'client', 'cli', 'main.js'), 'console.log("started")');
    const underEngines = (node: string) => {
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', engines: { node } }));
      return spawnSync(process.execPath, [join(folder, 'client', 'cli', 'bin.mjs')], { encoding: 'utf8' });
    };
    const [major, minor] = process.versions.node.split('.').map(Number);
    for (const node of [`>=${Number(major) + 1}.0`, `>=${major}.${Number(minor) + 1}`]) {
      const refused = underEngines(node);
      expect(refused).toMatchObject({ status: 2, stdout: '' });
      expect(refused.stderr).toBe(
        `error: Tollgate runs on Node ${node.slice(2)} or newer, this is ${process.versions.node}. Install a newer one, then run the same command again.\n`,
      );
    }
    for (const node of [`>=${major}.${minor}`, `>=${Number(major) - 1}.99`]) expect(underEngines(node)).toMatchObject({ status: 0, stdout: 'started\n' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
