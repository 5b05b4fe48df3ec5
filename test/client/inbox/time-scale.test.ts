import { expect, test } from 'vitest';
import { timeScale } from '../../../client/inbox/time-scale.ts';

test('keeps the order, begins at 0, ends at 1, and lets milliseconds be seen beside days', () => {
  const moments = [0, 50, 250, 300, 86_400_300];
  const at = timeScale(moments);
  const places = moments.map(at);
  expect(places[0]).toBe(0);
  expect(places.at(-1)).toBe(1);
  expect(places.toSorted((a, b) => a - b)).toEqual(places);
  expect((places[2] ?? 0) - (places[1] ?? 0)).toBeGreaterThan(0.02);
});

test('one moment, or none, is no division by nothing', () => {
  expect(timeScale([5])(5)).toBe(0);
  expect(timeScale([])(5)).toBe(1);
});
