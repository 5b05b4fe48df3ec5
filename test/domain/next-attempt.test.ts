import { expect, test } from 'vitest';
import type { ErrorVerdict } from '../../contracts/model.ts';
import fc from 'fast-check';
import type { CallModelOutcome } from '../../contracts/agent-run.ts';
import type { NanoUsd } from '../../contracts/budget.ts';
import { emptyLedger } from '../../domain/budget/ledger.ts';
import { CHAIN_START, type ChainWalk, decideNextAttempt, decideNextTry, type NextTry, type WalkLimits } from '../../domain/model/next-attempt.ts';
import { holdsFor } from '../support/property.ts';

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

test('a wait is never shorter than what the provider asked for, and at most a tenth longer', () => {
  for (const jitter of [0, 0.5, 0.99]) {
    const next = decideNextAttempt({ candidateIndex: 1, tries: 1, attempts: 1 }, verdict({ retryAfterMs: 9_000 }), limits, jitter);
    expect(next.type === 'try' && next.waitMs >= 9_000 && next.waitMs <= 9_900).toBe(true);
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

const ledger = emptyLedger(1_000 as NanoUsd);
const walkLimits: WalkLimits = { ...limits, maxQuotaWaitMs: 60_000, leftMs: Number.POSITIVE_INFINITY };
type Denied = Extract<CallModelOutcome, { type: 'budgetDenied' }>;
type Failed = Extract<CallModelOutcome, { type: 'failed' }>;
const denied = (change: Partial<Denied> = {}): Denied => ({
  type: 'budgetDenied',
  neededNanoUsd: 10 as NanoUsd,
  neededTokens: 5,
  ledger,
  message: 'denied',
  ...change,
});
const failed = (change: Partial<ErrorVerdict> = {}): Failed => ({ type: 'failed', verdict: verdict(change), message: 'failed', ledger });
const open = (retryAfterMs: number): Failed => ({ ...failed({ class: 'overloaded', retrySameModel: false, retryAfterMs }), skipped: 'breakerOpen' });
const quota = { kind: 'tenant', name: 'q', freesInMs: 20_000, freesAtMs: 1, isHeld: false } as const;
const after = (walk: ChainWalk, outcome: Denied | Failed, change: Partial<WalkLimits> = {}): NextTry =>
  decideNextTry(walk, outcome, { ...walkLimits, ...change }, () => 0);
const walkOf = (next: NextTry): ChainWalk => {
  if (next.type !== 'try') throw new Error('the chain gave up');
  return next.walk;
};

test('a candidate that does not fit is passed over for the next one, and does not count as a try', () => {
  const next = after(CHAIN_START, denied(), { maxAttempts: 1 });
  expect(next).toMatchObject({ type: 'try', waitMs: 0, walk: { candidateIndex: 1, tries: 1, attempts: 1, asked: 2 } });
  expect(after(walkOf(next), denied({ neededNanoUsd: 7 as NanoUsd }), { maxAttempts: 1 })).toMatchObject({ type: 'giveUp', outcome: { neededNanoUsd: 7 } });
});

test('a denial of an older worker counts as a try, as it did when the history was written', () => {
  const { neededTokens: _none, ...old } = denied();
  expect(after(CHAIN_START, old, { maxAttempts: 1 })).toEqual({ type: 'giveUp', outcome: old });
  expect(after(CHAIN_START, old)).toMatchObject({ walk: { candidateIndex: 1, attempts: 2 } });
});

test('a candidate whose breaker is open is passed over; when all are, the one that may answer soonest is waited for', () => {
  const next = after(CHAIN_START, open(9_000));
  expect(next).toMatchObject({ waitMs: 0, walk: { candidateIndex: 1, attempts: 1 } });
  expect(after(walkOf(next), open(4_000))).toMatchObject({ waitMs: 4_000, walk: { candidateIndex: 0, tries: 1, attempts: 2, skipped: null } });
  expect(after(walkOf(next), open(4_000), { maxWaitMs: 3_999 })).toMatchObject({ type: 'giveUp', outcome: { skipped: 'breakerOpen' } });
});

test('an open breaker is waited for before a run is told that its money is short', () => {
  const next = after(walkOf(after(CHAIN_START, open(4_000))), denied());
  expect(next).toMatchObject({ type: 'try', waitMs: 4_000, walk: { candidateIndex: 0 } });
});

test('a quota is waited for within its limit, and then the chain is gone down from its start', () => {
  const last = walkOf(after(CHAIN_START, denied({ scope: 'tenant', quota })));
  const waited = after(last, denied({ scope: 'tenant', quota }));
  expect(waited).toMatchObject({ waitMs: 20_000, walk: { candidateIndex: 0, attempts: 1, quotaWaitedMs: 20_000, denied: null } });
  expect(after({ ...last, quotaWaitedMs: 50_000 }, denied({ scope: 'tenant', quota }))).toMatchObject({ type: 'giveUp', outcome: { quota } });
  expect(after(last, denied({ scope: 'tenant', quota }), { maxQuotaWaitMs: 0 })).toMatchObject({ type: 'giveUp' });
  expect(after(last, denied({ scope: 'tenant', quota }), { leftMs: 19_999 })).toMatchObject({ type: 'giveUp' });
});

test('a gateway that is over its own budget is no reason to spend elsewhere', () => {
  const over = failed({ class: 'budgetDenied', retrySameModel: false, nextCandidate: false, billed: 'no' });
  expect(after(CHAIN_START, over)).toEqual({ type: 'giveUp', outcome: over });
});

test('whatever candidates come to, a step ends: tries are limited, and so is the time spent waiting', () => {
  const outcome = fc.oneof(
    fc.constant(denied()),
    fc.constant(denied({ scope: 'tenant', quota: { ...quota, isHeld: true } })),
    fc.nat({ max: 90_000 }).map(open),
    fc.boolean().map((nextCandidate) => failed({ nextCandidate })),
    fc.nat({ max: 400_000 }).map((retryAfterMs) => failed({ class: 'rateLimited', retryAfterMs })),
  );
  holdsFor(
    fc.record({ outcomes: fc.array(outcome, { minLength: 1, maxLength: 12 }), jitter: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
    ({ outcomes, jitter }) => {
      let walk = CHAIN_START;
      let waitedMs = 0;
      for (let index = 0; index < 2_000; index += 1) {
        const next = decideNextTry(walk, outcomes[index % outcomes.length] as Denied, walkLimits, () => jitter);
        if (next.type === 'giveUp') return;
        expect(next.walk.candidateIndex).toBeLessThan(walkLimits.candidates);
        expect(next.walk.attempts).toBeLessThanOrEqual(walkLimits.maxAttempts + 1);
        waitedMs += next.waitMs;
        walk = next.walk;
      }
      throw new Error(`the chain never ended after ${waitedMs} ms of waiting`);
    },
  );
});
