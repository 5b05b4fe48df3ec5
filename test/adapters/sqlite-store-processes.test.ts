import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../adapters/stores/open-store.ts';
import { describeStoreProcesses } from '../support/store-processes.ts';

describeStoreProcesses('several processes on one SQLite file', async () => {
  const home = await mkdtemp(join(tmpdir(), 'tollgate-processes-'));
  return { store: await openStore({ home }), settings: { home }, remove: () => rm(home, { recursive: true, force: true }) };
});
