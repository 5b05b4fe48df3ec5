import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { describeStoreContract } from '../support/store-contract.ts';

describeStoreContract('the SQLite store', async (now) => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-store-'));
  const path = join(folder, 'tollgate.db');
  return {
    store: await openSqliteStore({ path, now }),
    another: () => openSqliteStore({ path, now }),
    limitScope: async (kind, key, limitNanoUsd) => {
      const database = new DatabaseSync(path);
      database.prepare('INSERT INTO scopes (kind, scope_key, limit_nano_usd) VALUES (?, ?, ?)').run(kind, key, limitNanoUsd);
      database.close();
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
