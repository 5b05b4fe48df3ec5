import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-room-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('a store that has room says nothing, and asking takes none of it', async () => {
  const store = await openSqliteStore({ path: join(folder, 'tollgate.db'), maxPages: 256 });
  for (let asked = 0; asked < 20; asked += 1) await store.ensureRoom(131_072);
  expect(await store.listAudit({ limit: 10 })).toEqual([]);
  await store.close();
});

test('a store that is nearly full says so before a run is started, and still reads and writes what fits', async () => {
  const store = await openSqliteStore({ path: join(folder, 'tollgate.db'), maxPages: 150 });
  await expect(store.ensureRoom(262_144)).rejects.toMatchObject({ type: 'storeFull' });
  const digest = await store.putContent('fits');
  expect(await store.getContent(digest)).toBe('fits');
  await store.close();
});
