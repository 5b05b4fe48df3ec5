import { fdatasyncSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Connection, openConnection } from '../../adapters/stores/sqlite/connection.ts';
import type { DiskSync } from '../../adapters/stores/sqlite/log-sync.ts';

/** A disk that takes what it is given only when it is told to. */
class SlowDisk implements DiskSync {
  readonly #waiting: ((error: Error | null) => void)[] = [];
  syncs = 0;
  syncsNow = 0;

  sync(descriptor: number, done: (error: Error | null) => void): void {
    this.syncs += 1;
    fdatasyncSync(descriptor);
    this.#waiting.push(done);
  }

  syncNow(descriptor: number): void {
    this.syncsNow += 1;
    fdatasyncSync(descriptor);
  }

  finish(error: Error | null = null): void {
    this.#waiting.shift()?.(error);
  }
}

let folder: string;
let disk: SlowDisk;
let db: Connection;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-log-sync-'));
  disk = new SlowDisk();
  db = await openConnection({ path: join(folder, 'store.db'), disk });
  const created = db.write(() => db.run('CREATE TABLE notes (text TEXT) STRICT'));
  await committed();
  disk.finish();
  await created;
  disk.syncs = 0;
});

afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Commits are made in the next turn of the event loop. */
async function committed(): Promise<void> {
  await turn();
  await turn();
}

function note(text: string): { readonly done: Promise<number>; isDone: boolean } {
  const noted = { done: db.write(() => db.run('INSERT INTO notes VALUES (:text)', { text })), isDone: false };
  noted.done.then(
    () => {
      noted.isDone = true;
    },
    () => {},
  );
  return noted;
}

it('a write is answered only once the disk has taken the log', async () => {
  const first = note('a reply');
  await committed();
  expect(disk.syncs).toBe(1);
  expect(first.isDone).toBe(false);
  disk.finish();
  expect(await first.done).toBe(1);
});

it('commits made while the disk is busy wait for a sync that begins after them, and share it', async () => {
  const first = note('one');
  await committed();
  const second = note('two');
  await committed();
  const third = note('three');
  await committed();
  expect(disk.syncs).toBe(1);
  disk.finish();
  await first.done;
  await committed();
  expect([second.isDone, third.isDone, disk.syncs]).toEqual([false, false, 2]);
  disk.finish();
  await Promise.all([second.done, third.done]);
  expect(disk.syncs).toBe(2);
});

it('what failed to reach the disk is not said to be there, and nothing is written after it', async () => {
  const lost = note('lost');
  const beside = note('beside it');
  await committed();
  const waiting = note('committed while the disk failed');
  await committed();
  disk.finish(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  for (const { done } of [lost, beside, note('later')])
    await expect(done).rejects.toMatchObject({ type: 'storeUnavailable', message: expect.stringContaining('start this process again') });
  disk.finish();
  await expect(waiting.done).rejects.toMatchObject({ type: 'storeUnavailable' });
  expect(() => db.get('SELECT count(*) AS count FROM notes')).not.toThrow();
});

it('closing waits for the disk, and a sync that was under way does no harm after it', async () => {
  const underWay = note('under way');
  await committed();
  const next = note('next');
  db.close();
  expect(await Promise.all([underWay.done, next.done])).toEqual([1, 1]);
  expect(disk.syncsNow).toBe(1);
  disk.finish();
  db.close();
});

it('the log of a store behind a symbolic link is found', async () => {
  const link = join(folder, 'link.db');
  symlinkSync(join(folder, 'store.db'), link);
  const linked = await openConnection({ path: link });
  expect(await linked.write(() => linked.run("INSERT INTO notes VALUES ('through the link')"))).toBe(1);
  linked.close();
});
