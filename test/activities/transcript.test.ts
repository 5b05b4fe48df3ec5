import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { transcriptAt } from '../../activities/model/transcript.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { TranscriptHead } from '../../contracts/agent-run.ts';
import type { AttemptId, RunKey } from '../../contracts/ids.ts';
import type { Store } from '../../domain/store/port.ts';
import { reply, reserve, startRun } from '../support/store-contract/fixtures.ts';

let folder: string;
let store: Store;
let runKey: RunKey;
const START: TranscriptHead = { attemptId: null, nodeIds: ['input'] };
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-transcript-'));
  store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
  runKey = await startRun(store);
  await store.putNode(runKey, 'input', { role: 'user', text: 'Hi' });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A reply asked from `head`; answers the place after it. */
async function answer(step: number, head: TranscriptHead, text: string): Promise<TranscriptHead> {
  const attemptId = await reserve(store, runKey, { step, head });
  await store.reportAttempt(runKey, attemptId, { outcome: { type: 'reply' }, reply: reply(text) });
  return { attemptId, nodeIds: [] };
}

const textsAt = async (head: TranscriptHead) => (await transcriptAt(store, runKey, head)).map(({ text }) => text);

test('each step reads what came since the one before, and sees all of it', async () => {
  const load = vi.spyOn(store, 'loadTranscript');
  expect(await textsAt(START)).toEqual(['Hi']);
  const first = await answer(1, START, 'one');
  expect(await textsAt(first)).toEqual(['Hi', 'one']);
  const second = await answer(2, first, 'two');
  expect(await textsAt(second)).toEqual(['Hi', 'one', 'two']);
  const last = await load.mock.results.at(-1)?.value;
  expect(last).toMatchObject({ isTail: true, messages: [{ text: 'two' }] });
});

test('a reset that goes on from an earlier place, by another way, sees nothing of the way it left', async () => {
  const first = await answer(1, START, 'one');
  await textsAt(await answer(2, first, 'abandoned'));
  expect(await textsAt(first)).toEqual(['Hi', 'one']);
  expect(await textsAt(await answer(2, first, 'instead'))).toEqual(['Hi', 'one', 'instead']);
  expect(await textsAt(START)).toEqual(['Hi']);
});

test('a reply that the store lacks is missed, whatever was read before', async () => {
  await textsAt(await answer(1, START, 'one'));
  const lost = { attemptId: 'lost' as AttemptId, nodeIds: [] };
  await expect(transcriptAt(store, runKey, lost)).rejects.toMatchObject({ type: 'journalMissing' });
});
