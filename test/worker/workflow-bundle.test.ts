import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modulesOf } from '../../worker/module-files.ts';
import { workflowBundle } from '../../worker/workflow-bundle.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeAll(() => {
  // Inside the clone, where `tollgate/workflows` is to be had.
  mkdirSync(join(ROOT, '.tollgate'), { recursive: true });
  folder = mkdtempSync(join(ROOT, '.tollgate', 'test-bundle-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("a project's workflows are bundled with ours, once, without zod, and anew when any of their files changes", async () => {
  const cache = join(folder, 'cache');
  write('words.ts', `export const WORD = 'first word';\n`);
  const own = write(
    'own.ts',
    `import { agentWorkflow } from 'tollgate/workflows';
     import { WORD } from './words.ts';
     export const speak = (start) => agentWorkflow(start, async () => ({ status: 'completed', message: WORD }));\n`,
  );
  const first = await workflowBundle(cache, own);
  const code = readFileSync(first, 'utf8');
  expect(code).toContain('first word');
  expect(code.match(/async function agentRun\(/g)).toHaveLength(1);
  expect(code.match(/async function agentWorkflow\(/g)).toHaveLength(1);
  expect(code).not.toMatch(/node_modules\/zod\//);
  expect(await workflowBundle(cache, own)).toBe(first);
  write('words.ts', `export const WORD = 'second word';\n`);
  const second = await workflowBundle(cache, own);
  expect(second).not.toBe(first);
  expect(readFileSync(second, 'utf8')).toContain('second word');
  expect(await workflowBundle(cache)).not.toBe(second);
}, 120_000);

test('our modules, which all runs of a worker share, keep nothing between them', async () => {
  const code = readFileSync(await workflowBundle(join(folder, 'cache')), 'utf8');
  const ours = [...code.matchAll(/^\/\*\*\*\/ "\.\/((?:contracts|domain|workflows|worker)\/[^"]+\.ts)"$/gm)].map(([, file = '']) => file);
  expect(ours).toContain('workflows/agent-run/agent-run.ts');
  expect(code).toMatch(/function preloadModules\(\) \{[^}]*workflows\/index\.ts/);
  const keeping = ours.filter((file) => {
    const source = readFileSync(join(ROOT, file), 'utf8').replaceAll(/^const \w+: Readonly(Set|Map)<.*$/gm, '');
    return /^(export )?(let|var) |^(export )?const \w+.*= new (Map|Set|WeakMap|WeakSet|Array)\b|^(export )?const \w+.*= (\[\]|\{\});$/m.test(source);
  });
  // What a text for people is lies there within one call of the SDK only, and that there is a codec is so for every run.
  expect(keeping).toEqual(['workflows/readable.ts']);
}, 120_000);

test('workflow code that can not be bundled is one error that says why', async () => {
  const own = write('broken.ts', `import { readFileSync } from 'node:fs';\nexport const read = async () => readFileSync('x', 'utf8');\n`);
  await expect(workflowBundle(join(folder, 'cache'), own)).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('fs') });
}, 120_000);

test('the files of a module are those that it imports by path, and what pins its packages', () => {
  write('a.ts', `import './b.ts';\nexport { c } from "./c.js";\nconst d = await import('./d.ts');\nimport x from 'some-package';\n`);
  write('b.ts', `import './a.ts';\nimport './gone.ts';\n`);
  for (const name of ['c.ts', 'd.ts', 'e.ts']) write(name, '');
  const names = modulesOf(join(folder, 'a.ts')).map((path) => path.slice(path.lastIndexOf('/') + 1));
  expect(names.toSorted()).toEqual(['a.ts', 'b.ts', 'c.ts', 'd.ts', 'package-lock.json', 'package.json']);
});
