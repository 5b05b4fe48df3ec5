import { existsSync, readFileSync } from 'node:fs';
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
