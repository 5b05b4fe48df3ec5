import { expect, test } from 'vitest';
import { afterFailure, beginProbe, BREAKER_LIMITS, type BreakerState, CLOSED } from '../../../domain/model/breaker.ts';
import type { Subject } from '../store-contract.ts';

const KEY = { endpoint: 'gateway', model: 'gpt-5-mini' };
const failure = (attemptId: string) => ({ attemptId, class: 'serverError', successes: 0 }) as const;

export function describeBreakerContract(subject: Subject): void {
  test('a breaker that nobody wrote is closed, and reading it writes nothing', async () => {
    const { store, clock } = subject();
    expect(await store.readBreaker(KEY)).toEqual({ state: CLOSED, nowMs: clock.nowMs });
    expect(await store.listBreakers()).toEqual([]);
  });

  test('connections that report failures at once lose none of them', async () => {
    const { store, another } = subject();
    const second = await another();
    const report = (index: number) => (index % 2 ? store : second).changeBreaker(KEY, (state, nowMs) => afterFailure(state, failure(`a${index}`), nowMs));
    await Promise.all(Array.from({ length: BREAKER_LIMITS.failures }, (_, index) => report(index)));
    expect((await store.readBreaker(KEY)).state.status).toBe('open');
    expect((await second.listBreakers()).map(({ endpoint, model, state }) => [endpoint, model, state.status])).toEqual([['gateway', 'gpt-5-mini', 'open']]);
    expect((await store.readBreaker({ ...KEY, model: 'gpt-5-nano' })).state).toEqual(CLOSED);
    await second.close();
  });

  test('of several that want to probe at once, one gets the lease', async () => {
    const { store, clock, another } = subject();
    const second = await another();
    const open: BreakerState = { status: 'open', openedAtMs: clock.nowMs, openForMs: 1_000, reason: 'timeout' };
    await store.changeBreaker(KEY, () => open);
    expect(await store.changeBreaker(KEY, (state, nowMs) => beginProbe(state, 'early', 5_000, nowMs))).toEqual(open);
    clock.nowMs += 1_000;
    const states = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? store : second).changeBreaker(KEY, (state, nowMs) => beginProbe(state, `probe-${index}`, 5_000, nowMs)),
      ),
    );
    expect(new Set(states.map((state) => (state.status === 'halfOpen' ? state.probeId : state.status))).size).toBe(1);
    await second.close();
  });
}
