import { invariant } from '../../../contracts/failures.ts';
import type { KeyStore } from '../../../domain/encryption/store-port.ts';
import { listLimit, toKeyRow } from '../rows.ts';
import { DESTROY_KEYS, INSERT_KEY, REWRAP_KEY, SELECT_KEY_BY_ID, SELECT_KEY_VERSION, SELECT_KEY_VERSIONS, SELECT_TENANT_KEYS } from '../sql.ts';
import type { Connection } from './connection.ts';

export function createKeyStore(db: Connection): KeyStore {
  return {
    putKey: async ({ keyId, kind, tenant, name, version, wrapped }) =>
      db.write(() => {
        db.run(INSERT_KEY, { keyId, kind, tenant, name, version, wrapped, now: db.now() });
        const row = db.get(SELECT_KEY_VERSION, { kind, tenant, name, version });
        invariant(row, `key ${keyId} is in the store after it was put there`);
        return toKeyRow(row);
      }),
    getKey: async (keyId) => {
      const row = db.read(() => db.get(SELECT_KEY_BY_ID, { keyId }));
      return row ? toKeyRow(row) : null;
    },
    listKeys: async ({ kind, tenant, name }) => db.read(() => db.all(SELECT_KEY_VERSIONS, { kind, tenant, name })).map(toKeyRow),
    listTenantKeys: async ({ afterKeyId = '', limit }) => db.read(() => db.all(SELECT_TENANT_KEYS, { afterKeyId, limit: listLimit(limit) })).map(toKeyRow),
    rewrapKey: async (keyId, wrapped) => {
      await db.write(() => db.run(REWRAP_KEY, { keyId, wrapped }));
    },
    destroyKeys: async ({ tenant, kind = null, name = null }) => db.write(() => db.run(DESTROY_KEYS, { tenant, kind, name, now: db.now() })),
  };
}
