import { expect, test } from 'vitest';
import type { GateTries, Tried } from '../../contracts/agent-run.ts';
import { MAX_REMEMBERED, NO_TRIES, triesLeft, withTry } from '../../domain/approval/tries.ts';

const MAX = 3;
const of = (person: string, decision: number): Tried => ({ person, decision: `d${decision}` });
const after = (all: readonly (Tried | null)[]): GateTries => all.reduce((tries: GateTries, tried) => withTry(tries, tried, MAX), NO_TRIES);

test('each person has tries of their own, and nobody’s are nobody’s', () => {
  const tries = after([of('eve', 1), of('eve', 2), of('eve', 3), null, null, null, null]);
  expect(triesLeft(tries, of('eve', 4), MAX)).toBe('tooMany');
  expect(triesLeft(tries, null, MAX)).toBe('tooMany');
  expect(triesLeft(tries, of('alice', 1), MAX)).toBe('new');
});

test('what is sent again is no other try, also of one who has none left', () => {
  const tries = after(Array.from({ length: 50 }, () => of('alice', 1)));
  expect([triesLeft(tries, of('alice', 1), MAX), triesLeft(tries, of('alice', 2), MAX)]).toEqual(['again', 'new']);
  const all = after([of('alice', 1), of('alice', 2), of('alice', 3)]);
  expect([triesLeft(all, of('alice', 1), MAX), triesLeft(all, of('alice', 4), MAX)]).toEqual(['again', 'tooMany']);
});

test('what is remembered is bounded, and names that objects have for themselves are names', () => {
  const names = ['__proto__', 'constructor', 'toString', ''];
  for (const name of names) expect(triesLeft(after([of('x', 1)]), of(name, 1), MAX)).toBe('new');
  const crowd = Array.from({ length: 1_000 }, (_, index) => of(`person ${index % 400}`, index));
  const tries = after([...crowd, ...Array<null>(1_000).fill(null)]);
  expect(tries.by.reduce((sum, { decisions }) => sum + decisions.length, 0)).toBe(MAX_REMEMBERED);
  expect(tries.unproven).toBe(MAX);
  expect(triesLeft(tries, of('a latecomer', 1), MAX)).toBe('new');
});
