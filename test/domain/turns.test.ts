import { expect, test } from 'vitest';
import { countTurn, MAX_TURNS, NO_TURNS } from '../../domain/agent-run/turns.ts';

test('a loop that turns without end fails its workflow task', () => {
  let turns = NO_TURNS;
  for (let count = 0; count < MAX_TURNS; count += 1) turns = countTurn(turns, 7);
  expect(() => countTurn(turns, 7)).toThrow(/at event 7 it turned more than/);
});

test('each place in the history has its turns', () => {
  let turns = NO_TURNS;
  for (let event = 1; event <= MAX_TURNS * 2; event += 1) turns = countTurn(turns, event);
  expect(turns).toEqual({ historyLength: MAX_TURNS * 2, count: 1 });
});
