import { expect, test } from 'vitest';
import { placeOf } from '../../../client/inbox/place.ts';
import { readArguments } from '../../../client/inbox/edited.ts';

test('an edit is a whole object that differs; everything else is told in words', () => {
  const before = { to: 'bob', amount: 5 };
  expect(readArguments('{"to":"bob","amount":4}', before)).toEqual({ type: 'edited', value: { to: 'bob', amount: 4 } });
  for (const [text, why] of [
    ['{"to":', 'no JSON'],
    ['[1]', 'one object'],
    ['null', 'one object'],
    ['{"to":"bob","amount":5}', 'Nothing is changed'],
  ] as const)
    expect(readArguments(text, before)).toMatchObject({ type: 'mistake', why: expect.stringContaining(why) });
});

test('each address is a place of the page, and a broken one none', () => {
  expect(placeOf('/inbox/')).toEqual({ type: 'inbox', approvalId: null });
  expect(placeOf('/inbox/gates/a%2Fb')).toEqual({ type: 'inbox', approvalId: 'a/b' });
  expect(placeOf('/inbox/runs/run%20one')).toEqual({ type: 'run', agentRunId: 'run one' });
  expect(placeOf('/inbox/runs/%zz')).toEqual({ type: 'run', agentRunId: '%zz' });
  expect(['/inbox/runs', '/inbox/overview', '/inbox/x', '/inbox/gates/a/b'].map((path) => placeOf(path).type)).toEqual([
    'runs',
    'overview',
    'unknown',
    'unknown',
  ]);
});
