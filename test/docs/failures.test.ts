import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FAILURES } from '../../contracts/failures.ts';

test('docs/failures.md has one heading for each failure type, and none besides', () => {
  const text = readFileSync(new URL('../../docs/failures.md', import.meta.url), 'utf8');
  const headings = [...text.matchAll(/^## `?([A-Za-z]+)`?$/gm)].map((match) => match[1]);
  expect(headings.toSorted()).toEqual(Object.keys(FAILURES).toSorted());
});
