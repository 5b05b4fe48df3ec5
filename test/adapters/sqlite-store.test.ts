import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../adapters/stores/sqlite/sqlite-store.ts';
import { describeStoreContract } from '../support/store-contract.ts';

describeStoreContract('the SQLite store', async (now) => {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-store-'));
  const path = join(folder, 'tollgate.db');
  return {
    store: await openSqliteStore({ path, now }),
    another: () => openSqliteStore({ path, now }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});
