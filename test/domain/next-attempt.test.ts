import { expect, test } from 'vitest';
import type { ErrorVerdict } from '../../contracts/model.ts';
import { decideNextAttempt } from '../../domain/model/next-attempt.ts';

const verdict = (change: Partial<ErrorVerdict> = {}): ErrorVerdict => ({
  class: 'serverError',
  retrySameModel: true,
  nextCandidate: true,
  billed: 'unknown',
  ...change,
});
const limits = { candidates: 2, maxAttempts: 8, maxWaitMs: 300_000 };

test('a failing model is tried twice, then the next candidate at once', () => {
  expect(decideNextAttempt({ candidateIndex: 0, tries: 1, attempts: 1 }, verdict(), limits, 0)).toMatchObject({ type: 'try', candidateIndex: 0 });
  expect(decideNextAttempt({ candidateIndex: 0, tries: 2, attempts: 2 }, verdict(), limits, 0)).toEqual({ type: 'try', candidateIndex: 1, waitMs: 0 });
});

test('the last candidate is tried until the attempts are used up, with growing waits', () => {
  const waits = [1, 2, 3]
    .map((tries) => decideNextAttempt({ candidateIndex: 1, tries, attempts: tries + 2 }, verdict(), limits, 0))
    .map((next) => (next.type === 'try' ? next.waitMs : -1));
  expect(waits).toEqual([375, 750, 1_500]);
  expect(decideNextAttempt({ candidateIndex: 1, tries: 6, attempts: 8 }, verdict(), limits, 0)).toEqual({ type: 'giveUp' });
});

test('a wait is never shorter than what the provider asked for', () => {
  for (const jitter of [0, 0.5, 0.99]) {
    const next = decideNextAttempt({ candidateIndex: 1, tries: 1, attempts: 1 }, verdict({ retryAfterMs: 9_000 }), limits, jitter);
    expect(next).toMatchObject({ type: 'try', waitMs: 9_000 });
  }
});

test('a long wait is not sat out while another candidate is there, and not at all beyond the limit', () => {
  expect(decideNextAttempt({ candidateIndex: 0, tries: 1, attempts: 1 }, verdict({ retryAfterMs: 60_000 }), limits, 0)).toMatchObject({
    candidateIndex: 1,
    waitMs: 0,
  });
  expect(decideNextAttempt({ candidateIndex: 1, tries: 1, attempts: 1 }, verdict({ retryAfterMs: 400_000 }), limits, 0)).toEqual({ type: 'giveUp' });
});

test('a failure that another try cannot cure is not tried again', () => {
  expect(decideNextAttempt({ candidateIndex: 0, tries: 1, attempts: 1 }, verdict({ retrySameModel: false }), limits, 0)).toMatchObject({ candidateIndex: 1 });
  expect(decideNextAttempt({ candidateIndex: 0, tries: 1, attempts: 1 }, verdict({ retrySameModel: false, nextCandidate: false }), limits, 0)).toEqual({
    type: 'giveUp',
  });
});
