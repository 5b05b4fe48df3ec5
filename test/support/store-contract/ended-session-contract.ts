import { expect, test } from 'vitest';
import { ENDED_KEPT_MS } from '../../../domain/identity/store-port.ts';
import type { Subject } from '../store-contract.ts';

export function describeEndedSessionContract(subject: Subject): void {
  test('a session that was ended is ended for every process, once, and no other one is', async () => {
    const { store, another, clock } = subject();
    const second = await another();
    expect(await store.isSessionEnded('a')).toBe(false);
    const answers = await Promise.all([store.endSession('a', clock.nowMs + 10), second.endSession('a', clock.nowMs + 10)]);
    expect(answers.toSorted()).toEqual([false, true]);
    for (const one of [store, second]) expect([await one.isSessionEnded('a'), await one.isSessionEnded('b')]).toEqual([true, false]);
    await second.close();
  });

  test('an ended session is remembered beyond its own time, and forgotten once no clock takes it for one any more', async () => {
    const { store, clock } = subject();
    await store.endSession('short', clock.nowMs + 10);
    await store.endSession('long', clock.nowMs + 8 * ENDED_KEPT_MS);
    clock.nowMs += ENDED_KEPT_MS;
    await store.endSession('other', clock.nowMs);
    expect(await store.isSessionEnded('short')).toBe(true);
    clock.nowMs += 11;
    await store.endSession('another', clock.nowMs);
    expect([await store.isSessionEnded('short'), await store.isSessionEnded('long')]).toEqual([false, true]);
  });
}
