import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { openKeyring } from '../../adapters/keys/open-keyring.ts';
import { sealedStore } from '../../adapters/stores/sealed/sealed-store.ts';
import { openPostgresStore } from '../../adapters/stores/postgres/postgres-store.ts';
import { migratePostgres } from '../../adapters/stores/postgres/schema.ts';
import { hasPostgres, PostgresServer } from '../support/postgres.ts';
import { describeStoreContract } from '../support/store-contract.ts';
import { describeStoreProcesses } from '../support/store-processes.ts';

describe.runIf(hasPostgres())('with a real Postgres', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await new PostgresServer().open();
  });
  afterAll(() => server?.close());

  const newDatabase = async () => {
    const url = await server.createDatabase();
    await migratePostgres(url);
    return url;
  };

  describeStoreContract('the Postgres store', async (now) => {
    const url = await newDatabase();
    return {
      store: await openPostgresStore({ url, now }),
      another: () => openPostgresStore({ url, now }),
      limitScope: async (kind, key, limitNanoUsd) => {
        await server.sql(url, 'INSERT INTO tollgate.scopes (kind, scope_key, limit_nano_usd) VALUES ($1, $2, $3)', [kind, key, limitNanoUsd]);
      },
      remove: async () => undefined,
    };
  });

  describeStoreContract('the Postgres store, sealed', async (now) => {
    const url = await newDatabase();
    const home = mkdtempSync(join(tmpdir(), 'tollgate-keys-'));
    const open = async () => {
      const store = await openPostgresStore({ url, now });
      return sealedStore(store, openKeyring({ home }, store), { seals: true });
    };
    return {
      store: await open(),
      another: open,
      limitScope: async (kind, key, limitNanoUsd) => {
        await server.sql(url, 'INSERT INTO tollgate.scopes (kind, scope_key, limit_nano_usd) VALUES ($1, $2, $3)', [kind, key, limitNanoUsd]);
      },
      remove: async () => rmSync(home, { recursive: true, force: true }),
    };
  });

  describeStoreProcesses('several processes on one Postgres database', async () => {
    const url = await newDatabase();
    return { store: await openPostgresStore({ url }), settings: { home: '.', databaseUrl: url }, remove: async () => undefined };
  });
});
