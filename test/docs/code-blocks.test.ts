import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const docs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...docs.map((name) => `docs/${name}`)];
const blocks = pages.flatMap((name) =>
  [...read(name).matchAll(/<!-- (examples\/\S+) -->\n```\w*\n([\s\S]*?)\n```/g)].map((match) => ({
    name,
    file: match[1] ?? '',
    code: match[2] ?? '',
  })),
);

test('code in docs that names a file of examples/ stands there, word for word', () => {
  expect(blocks.length).toBeGreaterThanOrEqual(3);
  for (const { name, file, code } of blocks) expect(read(file).includes(code), `${name}: the block of ${file} is not in that file`).toBe(true);
});

test.each(['README.md', 'docs/testing.md', 'docs/own-code.md'])('%s has no other TypeScript', (name) => {
  expect(read(name).match(/```ts/g)?.length).toBe(blocks.filter((block) => block.name === name).length);
});
