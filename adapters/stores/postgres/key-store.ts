import { invariant } from '../../../contracts/failures.ts';
import type { KeyStore } from '../../../domain/encryption/store-port.ts';
import { listLimit, toKeyRow } from '../rows.ts';
import { DESTROY_KEYS, INSERT_KEY, REWRAP_KEY, SELECT_KEY_BY_ID, SELECT_KEY_VERSION, SELECT_KEY_VERSIONS, SELECT_TENANT_KEYS } from '../sql.ts';
import type { Database } from './database.ts';

export function createKeyStore(db: Database): KeyStore {
  return {
    putKey: async (key) => {
      await db.all(INSERT_KEY, { ...key });
      const row = await db.get(SELECT_KEY_VERSION, { ...key });
      invariant(row, `key ${key.keyId} is in the store after it was put there`);
      return toKeyRow(row);
    },
    getKey: async (keyId) => {
      const row = await db.get(SELECT_KEY_BY_ID, { keyId });
      return row ? toKeyRow(row) : null;
    },
    listKeys: async (key) => (await db.all(SELECT_KEY_VERSIONS, { ...key })).map(toKeyRow),
    listTenantKeys: async ({ afterKeyId = '', limit }) => (await db.all(SELECT_TENANT_KEYS, { afterKeyId, limit: listLimit(limit) })).map(toKeyRow),
    rewrapKey: async (keyId, wrapped) => {
      await db.all(REWRAP_KEY, { keyId, wrapped });
    },
    destroyKeys: async ({ tenant, kind, name }) => (await db.all(`${DESTROY_KEYS} RETURNING id`, { tenant, kind, name })).length,
  };
}
