import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupStore, restoreStore } from '../../adapters/stores/backup/backup.ts';
import { TABLES } from '../../adapters/stores/backup/tables.ts';
import { openStore } from '../../adapters/stores/open-store.ts';
import type { Store } from '../../domain/store/port.ts';
import { fillStore, lookAt } from '../support/full-store.ts';
import { newAttempt, startRun } from '../support/store-contract/fixtures.ts';

let folder: string;
let file: string;
const home = (name: string) => ({ home: join(folder, name) });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-backup-'));
  file = join(folder, 'backup.jsonl');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function withStore<T>(name: string, body: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(home(name));
  try {
    return await body(store);
  } finally {
    await store.close();
  }
}
const backup = (name: string) => backupStore(home(name), file, { overwrite: false });
const restore = (name: string, replace = false) => restoreStore(home(name), file, { replace });
const refusal = (what: RegExp) => ({ type: 'invalidInput', message: expect.stringMatching(what) });

test('what is restored is what was backed up, and the store goes on from there', async () => {
  const filled = await withStore('old', fillStore);
  const before = await withStore('old', (store) => lookAt(store, filled));
  expect(await backup('old')).toMatchObject({ runs: 2 });
  expect(await restore('new')).toMatchObject({ runs: 2, header: { store: expect.stringContaining('tollgate.db') } });
  await withStore('new', async (store) => {
    expect(await lookAt(store, filled)).toEqual(before);
    expect(await store.lastRestoredAtMs()).toBeGreaterThan(Date.now() - 60_000);
    expect(await store.reserveAttempt(newAttempt(filled.child, { step: 3 }))).toMatchObject({ type: 'reserved' });
    expect(await store.lastRestoredAtMs()).toBeGreaterThan(0);
    await store.appendAudit({ type: 'after', runKey: null, actor: 'x', data: null });
    expect((await store.listAudit({ limit: 100 })).at(-1)).toMatchObject({ type: 'after' });
  });
});

test('a backup is for the owner only, and one that exists is replaced only by force', async () => {
  await withStore('old', fillStore);
  await backup('old');
  expect((await stat(file)).mode & 0o077).toBe(0);
  await expect(backup('old')).rejects.toMatchObject(refusal(/exists already.*--force/));
  await backupStore(home('old'), file, { overwrite: true });
  expect(await readdir(folder)).toEqual(['backup.jsonl', 'old']);
});

test('a backup taken while others write holds one state: the totals are those of its attempts', async () => {
  const runKey = await withStore('old', (store) => startRun(store));
  const writer = await openStore(home('old'));
  let isOver = false;
  const writing = (async () => {
    for (let step = 1; !isOver; step += 1) {
      await writer.reserveAttempt(newAttempt(runKey, { step, reservedNanoUsd: 1 as never }));
      await new Promise(setImmediate);
    }
  })();
  for (let round = 0; round < 5; round += 1) {
    await backupStore(home('old'), file, { overwrite: true });
    await restore('copy', true);
    await withStore('copy', async (store) => {
      const attempts = await store.listAttempts(runKey);
      expect(await store.getLedger(runKey)).toMatchObject({ heldNanoUsd: attempts.length });
    });
  }
  isOver = true;
  await writing;
  await writer.close();
});

test('a store that holds something is left as it is, unless it is to be replaced', async () => {
  const filled = await withStore('old', fillStore);
  await backup('old');
  const kept = await withStore('new', (store) => startRun(store));
  await expect(restore('new')).rejects.toMatchObject(refusal(/not empty.*--force/));
  await withStore('new', async (store) => expect(await store.getRun(kept)).not.toBeNull());
  await restore('new', true);
  await withStore('new', async (store) => {
    expect(await store.getRun(kept)).toBeNull();
    expect(await store.getRun(filled.child)).not.toBeNull();
  });
  // The audit takes no change afterwards either.
  const database = new DatabaseSync(join(folder, 'new', 'tollgate.db'));
  expect(() => database.exec('DELETE FROM audit')).toThrow('append-only');
  database.close();
});

test('a damaged or cut backup is refused by name, and nothing of it is in the store', async () => {
  await withStore('old', fillStore);
  await backup('old');
  const whole = await readFile(file, 'utf8');
  const lines = whole.split('\n');
  const damaged: readonly (readonly [string, RegExp])[] = [
    ['', /is empty/],
    ['not a backup\n', /no backup of Tollgate/],
    ['{"some":"json"}\n', /no backup of Tollgate/],
    [whole.slice(0, -20), /cut short/],
    [`${lines.slice(0, -2).join('\n')}\n`, /cut short: its end is missing/],
    [`${lines.filter((_, index) => index !== 3).join('\n')}`, /checksum/],
    [whole.replace('"acme"', '"evil"'), /checksum/],
    [`${whole}["more"]\n`, /after its end/],
    [whole.replace('"tollgateBackup":1', '"tollgateBackup":2'), /has format 2/],
  ];
  for (const [text, message] of damaged) {
    await writeFile(file, text);
    await expect(restore('new'), String(message)).rejects.toMatchObject(refusal(message));
    await expect(restore('old', true)).rejects.toMatchObject(refusal(message));
  }
  expect(existsSync(join(folder, 'new'))).toBe(false);
  await withStore('old', async (store) => expect(await store.listRuns({ limit: 10 })).toHaveLength(2));
});

test('a backup with columns that the store lacks is refused; one that lacks columns takes their default', async () => {
  await withStore('old', async (store) => {
    await store.registerSinks(['otlp'], 1_000_000);
    await fillStore(store);
  });
  const database = new DatabaseSync(join(folder, 'old', 'tollgate.db'));
  database.exec('ALTER TABLE gates ADD COLUMN later TEXT');
  database.close();
  await backup('old');
  await withStore('new', async () => undefined);
  await expect(restore('new')).rejects.toMatchObject(refusal(/gates\.later.*newer Tollgate/));
  await withStore('new', async (store) => expect(await store.listRuns({ limit: 10 })).toEqual([]));
  await rm(join(folder, 'old'), { recursive: true });
  await rm(file);
  const filled = await withStore('old', fillStore);
  await backup('old');
  const newer = new DatabaseSync(join(folder, 'new', 'tollgate.db'));
  newer.exec("ALTER TABLE gates ADD COLUMN later TEXT NOT NULL DEFAULT 'x'");
  newer.close();
  await restore('new');
  await withStore('new', async (store) => expect(await store.getGate(filled.child, filled.approvalId)).not.toBeNull());
});

test('there is nothing to back up where there is no store', async () => {
  await expect(backup('nowhere')).rejects.toMatchObject({ type: 'storeUnavailable' });
  expect(await readdir(folder)).toEqual([]);
});

test('a backup holds every table of the SQLite store', async () => {
  await withStore('old', fillStore);
  const database = new DatabaseSync(join(folder, 'old', 'tollgate.db'));
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
  for (const table of TABLES) expect(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows, `rows in ${table}`).toBeGreaterThan(0);
  database.close();
  expect(tables.map(({ name }) => name).toSorted()).toEqual(TABLES.toSorted());
});
