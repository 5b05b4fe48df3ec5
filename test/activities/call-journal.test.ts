import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { callJournal, readJournal } from '../../activities/tool/call-journal.ts';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import type { Store } from '../../domain/store/port.ts';
import { newToolCall, startRun } from '../support/store-contract/fixtures.ts';

const done = { status: 'done', result: 'found', isError: false } as const;

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-journal-'));
  store = await openSqliteStore({ path: join(folder, 'tollgate.db') });
});
afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a short read is written once, with how long it took', async () => {
  const begin = vi.spyOn(store, 'beginToolCall');
  const call = newToolCall(await startRun(store), { effect: 'read' });
  const journal = await readJournal(store, call);
  expect(journal.known).toBeNull();
  await journal.during(() => new Promise((resolve) => setTimeout(resolve, 20)));
  const { startedAtMs, endedAtMs } = await journal.finish(done);
  expect((endedAtMs ?? 0) - startedAtMs).toBeGreaterThanOrEqual(19);
  expect(begin).not.toHaveBeenCalled();
  expect((await readJournal(store, call)).known).toMatchObject(done);
});

test('a read that takes longer can be seen while it is under way', async () => {
  const call = newToolCall(await startRun(store), { effect: 'read' });
  const journal = await readJournal(store, call);
  await journal.during(() => vi.waitFor(async () => expect(await store.getToolCall(call.runKey, call.callKey)).toMatchObject({ status: 'intent' }), 5_000));
  expect(await journal.finish(done)).toMatchObject(done);
  expect(await store.listToolCalls(call.runKey)).toHaveLength(1);
});

test('a read that throws leaves no intent behind when it is over', async () => {
  const begin = vi.spyOn(store, 'beginToolCall');
  const call = newToolCall(await startRun(store), { effect: 'read' });
  const journal = await readJournal(store, call);
  await expect(journal.during(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(begin).not.toHaveBeenCalled();
});

test('a write is in the journal before it is carried out', async () => {
  const call = newToolCall(await startRun(store), { effect: 'write' });
  const journal = await callJournal(store, call);
  expect(await store.getToolCall(call.runKey, call.callKey)).toMatchObject({ status: 'intent' });
  expect(await journal.finish(done)).toMatchObject(done);
});
