import { expect, test } from 'vitest';
import { MAX_FEEDBACK_PER_RUN, type NewFeedback } from '../../../domain/feedback/store-port.ts';
import type { RunKey } from '../../../contracts/ids.ts';
import type { Subject } from '../store-contract.ts';
import { auditNotes, runKey, startRun } from './fixtures.ts';

export function newFeedback(key: RunKey, change: Partial<NewFeedback> = {}): NewFeedback {
  return { runKey: key, feedbackId: 'f1', step: null, scorePerMille: 1_000, label: null, comment: null, actor: 'alice', ...change };
}

export function describeFeedbackContract(subject: Subject): void {
  test('feedback is kept in order, and the same id again changes nothing', async () => {
    const { store, clock } = subject();
    const key = await startRun(store);
    const first = await store.putFeedback(newFeedback(key, { comment: 'right', label: 'good' }));
    clock.nowMs += 5;
    const again = await store.putFeedback(newFeedback(key, { scorePerMille: -1_000 }));
    await store.putFeedback(newFeedback(key, { feedbackId: 'f2', scorePerMille: -500, step: 2 }));
    expect(first).toMatchObject({ type: 'given', feedback: { feedbackId: 'f1', scorePerMille: 1_000, comment: 'right', atMs: clock.nowMs - 5 } });
    expect(again).toEqual({ ...first, type: 'exists' });
    expect((await store.listFeedback(key)).map(({ feedbackId, step, scorePerMille }) => [feedbackId, step, scorePerMille])).toEqual([
      ['f1', null, 1_000],
      ['f2', 2, -500],
    ]);
    const audit = await auditNotes(store, key);
    expect(audit.map(({ type, actor }) => [type, actor])).toEqual(Array(2).fill(['feedback.given', 'alice']));
  });

  test('an id names feedback of one run only', async () => {
    const { store } = subject();
    const [one, two] = [await startRun(store), await startRun(store)];
    for (const key of [one, two]) expect(await store.putFeedback(newFeedback(key))).toMatchObject({ type: 'given', feedback: { runKey: key } });
    for (const key of [one, two]) expect((await store.listFeedback(key)).map((feedback) => feedback.runKey)).toEqual([key]);
  });

  test('a run takes no more feedback than is kept of one, and none is kept of a run that nobody knows', async () => {
    const { store } = subject();
    const key = await startRun(store);
    for (let index = 0; index < MAX_FEEDBACK_PER_RUN; index += 1) await store.putFeedback(newFeedback(key, { feedbackId: `f${index}` }));
    expect(await store.putFeedback(newFeedback(key, { feedbackId: 'more' }))).toEqual({ type: 'tooMany' });
    expect(await store.putFeedback(newFeedback(key, { feedbackId: 'f7' }))).toMatchObject({ type: 'exists' });
    expect(await store.listFeedback(key)).toHaveLength(MAX_FEEDBACK_PER_RUN);
    await expect(store.putFeedback(newFeedback(runKey()))).rejects.toMatchObject({ type: 'journalMissing' });
  });

  test('an erasure of what was said takes the comments and leaves the scores', async () => {
    const { store } = subject();
    const key = await startRun(store);
    await store.putFeedback(newFeedback(key, { comment: 'Ann was rude' }));
    await store.putFeedback(newFeedback(key, { feedbackId: 'f2' }));
    await store.eraseRun(key, ['transcripts']);
    expect((await store.listFeedback(key)).map(({ comment, scorePerMille }) => [comment, scorePerMille])).toEqual([
      ['[erased]', 1_000],
      [null, 1_000],
    ]);
  });
}
