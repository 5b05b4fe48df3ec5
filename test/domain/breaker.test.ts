import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  admit,
  afterAnswer,
  afterFailure,
  beginProbe,
  BREAKER_LIMITS,
  type BreakerState,
  CLOSED,
  countsAgainstEndpoint,
  giveProbeBack,
} from '../../domain/model/breaker.ts';
import { holdsFor } from '../support/property.ts';

const failure = (attemptId = 'a', successes = 0) => ({ attemptId, class: 'serverError', successes }) as const;
const fail = (state: BreakerState, nowMs: number, attemptId?: string, successes?: number) => afterFailure(state, failure(attemptId, successes), nowMs) ?? state;
const opened = (nowMs = 0): BreakerState => Array.from({ length: BREAKER_LIMITS.failures }).reduce<BreakerState>((state) => fail(state, nowMs), CLOSED);

describe('the circuit breaker', () => {
  test('opens at the limit of failures within a window, and not before', () => {
    let state: BreakerState = CLOSED;
    for (let count = 1; count < BREAKER_LIMITS.failures; count += 1) {
      state = fail(state, count);
      expect(admit(state, count)).toEqual({ type: 'admitted' });
    }
    state = fail(state, 100);
    expect(admit(state, 100)).toEqual({ type: 'refused', retryInMs: BREAKER_LIMITS.openForMs });
  });

  test('failures of an earlier window do not count', () => {
    let state: BreakerState = CLOSED;
    for (let count = 1; count < BREAKER_LIMITS.failures; count += 1) state = fail(state, 0);
    expect(fail(state, BREAKER_LIMITS.windowMs)).toMatchObject({ status: 'closed', failures: 1 });
  });

  test('stays closed where most calls go well: successes ride along with the failures', () => {
    let state: BreakerState = CLOSED;
    for (let count = 0; count < BREAKER_LIMITS.failures * 4; count += 1) state = fail(state, 0, 'a', 3);
    expect(state.status).toBe('closed');
    for (let count = 0; count < 100; count += 1) state = fail(state, 0);
    expect(state.status).toBe('open');
  });

  test('lets one call probe when its time is over; an answer closes it, a failure opens it for twice as long', () => {
    const open = opened();
    const at = BREAKER_LIMITS.openForMs;
    expect(beginProbe(open, 'early', 1_000, at - 1)).toBeNull();
    const probing = beginProbe(open, 'probe', 1_000, at) as BreakerState;
    expect(admit(probing, at)).toEqual({ type: 'refused', retryInMs: 1_000 });
    expect(beginProbe(probing, 'second', 1_000, at + 999)).toBeNull();
    expect(afterAnswer(probing, 'probe')).toEqual(CLOSED);
    expect(fail(probing, at, 'probe')).toMatchObject({ status: 'open', openedAtMs: at, openForMs: 2 * BREAKER_LIMITS.openForMs });
  });

  test('a probe whose worker died gives its place up when the lease runs out', () => {
    const probing = beginProbe(opened(), 'dead', 1_000, BREAKER_LIMITS.openForMs) as BreakerState;
    const later = BREAKER_LIMITS.openForMs + 1_000;
    expect(admit(probing, later)).toEqual({ type: 'mayProbe' });
    const second = beginProbe(probing, 'second', 1_000, later) as BreakerState;
    // The dead one wakes up: it says nothing about the endpoint any more.
    expect(afterAnswer(second, 'dead')).toBeNull();
    expect(afterFailure(second, failure('dead'), later)).toBeNull();
    expect(afterAnswer(second, 'second')).toEqual(CLOSED);
  });

  test('a lease given back lets the next one probe at once', () => {
    const probing = beginProbe(opened(), 'probe', 1_000, BREAKER_LIMITS.openForMs) as BreakerState;
    expect(giveProbeBack(probing, 'other')).toBeNull();
    expect(admit(giveProbeBack(probing, 'probe') as BreakerState, BREAKER_LIMITS.openForMs)).toEqual({ type: 'mayProbe' });
  });

  test('calls that were under way when it opened neither close it nor keep it open', () => {
    const open = opened();
    expect(afterAnswer(open, 'a')).toBeNull();
    expect(afterFailure(open, failure(), 5)).toBeNull();
  });

  test('counts what speaks of the endpoint, and not of the request, the key or our rate', () => {
    expect((['serverError', 'overloaded', 'timeout', 'connectionLost'] as const).every(countsAgainstEndpoint)).toBe(true);
    const others = [
      'rateLimited',
      'quotaExhausted',
      'badRequest',
      'authentication',
      'contextLengthExceeded',
      'contentFiltered',
      'refusal',
      'budgetDenied',
      'ok',
    ] as const;
    expect(others.some(countsAgainstEndpoint)).toBe(false);
  });

  test('whatever happens, it is never open for longer than its limit, and never lets two probe at once', () => {
    const step = fc.record({ waitMs: fc.nat({ max: 400_000 }), id: fc.constantFrom('a', 'b', 'c'), what: fc.constantFrom('ask', 'fail', 'answer', 'back') });
    holdsFor(fc.array(step, { maxLength: 60 }), (steps) => {
      let state: BreakerState = CLOSED;
      let nowMs = 0;
      for (const { waitMs, id, what } of steps) {
        nowMs += waitMs;
        const before: BreakerState = state;
        if (what === 'ask') state = beginProbe(state, id, 10_000, nowMs) ?? state;
        if (what === 'fail') state = fail(state, nowMs, id);
        if (what === 'answer') state = afterAnswer(state, id) ?? state;
        if (what === 'back') state = giveProbeBack(state, id) ?? state;
        if (before.status === 'halfOpen' && state.status === 'halfOpen' && state.probeId !== before.probeId)
          expect(nowMs).toBeGreaterThanOrEqual(before.probeUntilMs);
        const admission = admit(state, nowMs);
        if (admission.type === 'refused') expect(admission.retryInMs).toBeLessThanOrEqual(BREAKER_LIMITS.maxOpenForMs);
        if (state.status === 'closed') expect(state.failures).toBeLessThanOrEqual(Math.max(BREAKER_LIMITS.failures, state.calls));
      }
    });
  });
});
