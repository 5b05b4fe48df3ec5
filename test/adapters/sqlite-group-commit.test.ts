import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Connection, openConnection } from '../../adapters/stores/sqlite/connection.ts';

/** Writes asked for at once share a commit. None may notice: each is whole or not there, and sees those before it. */
let folder: string;
let db: Connection;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-group-'));
  db = await openConnection({ path: join(folder, 'store.db') });
  await db.write(() => db.run('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)'));
});
afterAll(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

const note = (text: string) => db.run('INSERT INTO notes (text) VALUES (:text)', { text });
const notes = () => db.read(() => db.all('SELECT text FROM notes ORDER BY id').map((row) => row.text));
const statuses = (results: readonly PromiseSettledResult<unknown>[]) => results.map(({ status }) => status);

test('writes asked for at once are carried out in order, and each sees those before it', async () => {
  const counts = await Promise.all(
    ['a', 'b', 'c'].map((text) =>
      db.write(() => {
        note(text);
        return db.get('SELECT COUNT(*) AS count FROM notes')?.count;
      }),
    ),
  );
  expect(counts).toEqual([1, 2, 3]);
  expect(notes()).toEqual(['a', 'b', 'c']);
});

test('one that fails leaves nothing of itself and does not touch the others', async () => {
  const results = await Promise.allSettled([
    db.write(() => note('d')),
    db.write(() => {
      note('half');
      throw new Error('no');
    }),
    db.write(() => note('a')),
    db.write(() => note('e')),
  ]);
  expect(statuses(results)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
  expect(notes()).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('an answer is given only once the write is on the disk: another connection sees it', async () => {
  const other = await openConnection({ path: join(folder, 'store.db') });
  try {
    await Promise.all([db.write(() => note('f')), db.write(() => note('g'))]);
    expect(other.read(() => other.get("SELECT COUNT(*) AS count FROM notes WHERE text IN ('f', 'g')")?.count)).toBe(2);
  } finally {
    other.close();
  }
});

test('one that does not fit into the store is refused alone', async () => {
  const small = await openConnection({ path: join(folder, 'small.db'), maxPages: 160 });
  try {
    await small.write(() => small.run('CREATE TABLE blobs (id INTEGER PRIMARY KEY, body BLOB)'));
    const put = (bytes: number) => small.write(() => small.run('INSERT INTO blobs (body) VALUES (zeroblob(:bytes))', { bytes }));
    const results = await Promise.allSettled([put(10), put(10_000_000), put(20)]);
    expect(statuses(results)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ type: 'storeFull' });
    expect(small.read(() => small.all('SELECT length(body) AS bytes FROM blobs ORDER BY id').map((row) => row.bytes))).toEqual([10, 20]);
  } finally {
    small.close();
  }
});

test('writes that still wait when the store is closed are written', async () => {
  const closing = await openConnection({ path: join(folder, 'store.db') });
  const waiting = closing.write(() => closing.run("INSERT INTO notes (text) VALUES ('last')"));
  closing.close();
  await waiting;
  expect(notes()).toContain('last');
});
