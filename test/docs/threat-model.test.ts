import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** The last cell of each row of a table: `file` and the name of a test in it, several of them behind `; `. */
function namedTests(): { readonly file: string; readonly name: string }[] {
  const rows = readFileSync(`${ROOT}docs/threat-model.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (?:Way in|What) \|/.test(line));
  return rows.flatMap((row) => {
    const cell = row.split(' | ').at(-1)?.replace(/ \|$/, '') ?? '';
    return cell.split(/; (?=`test\/)/).map((part) => {
      const [, file = '', name = ''] = /^`(test\/[\w/.-]+)` (.+)$/.exec(part) ?? [];
      return { file, name };
    });
  });
}

test('every way in of the threat model names tests, and they are there', () => {
  const named = namedTests();
  expect(named.length).toBeGreaterThan(25);
  const missing = named.filter(({ file, name }) => !file || !existsSync(`${ROOT}${file}`) || !isTestOf(readFileSync(`${ROOT}${file}`, 'utf8'), name));
  expect(missing).toEqual([]);
});

/** In the name of a test, not just anywhere in its file. */
function isTestOf(source: string, name: string): boolean {
  return source.split('\n').some((line) => /^\s*test(?:\.\w+)?\(/.test(line) && line.includes(name));
}

test('every test of the attack suite stands in the threat model', () => {
  const named = namedTests();
  for (const file of ['decisions', 'shown', 'store'].map((name) => `test/attacks/${name}.test.ts`)) {
    const names = [...readFileSync(`${ROOT}${file}`, 'utf8').matchAll(/^\s*test\('([^']+)'/gm)].map(([, name]) => name);
    expect(named.filter((each) => each.file === file).map(({ name }) => name)).toEqual(expect.arrayContaining(names));
  }
});
