import { expect, test } from 'vitest';
import { searchAttributeProblems } from '../../client/cli/doctor.ts';
import { renderChecks } from '../../client/cli/doctor-command.ts';
import { SEARCH_ATTRIBUTES } from '../../contracts/search-attributes.ts';

const CODES = { KEYWORD: 2, DOUBLE: 4, BOOL: 5 } as const;
const registered = Object.fromEntries(Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => [name, CODES[type]]));

test('search attributes are checked by name and type', () => {
  expect(searchAttributeProblems(registered, [])).toEqual([]);
  expect(searchAttributeProblems({ ...registered, TollgateSpendUsd: 2 }, [])).toEqual(['TollgateSpendUsd is KEYWORD, not DOUBLE']);
  const { TollgateTask: _gone, ...rest } = registered;
  expect(searchAttributeProblems(rest, [])).toEqual(['TollgateTask is missing']);
  expect(searchAttributeProblems(rest, ['task'])).toEqual([]);
});

test('a problem shows what to do', () => {
  expect(
    renderChecks([
      { name: 'store', status: 'ok', message: 'fine' },
      { name: 'Temporal', status: 'problem', message: 'gone', fix: 'start it' },
    ]),
  ).toEqual(['ok       store     fine', 'PROBLEM  Temporal  gone', `${' '.repeat(19)}→ start it`]);
});
