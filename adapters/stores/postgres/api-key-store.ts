import { invariant } from '../../../contracts/failures.ts';
import type { ApiKeyRecord, ApiKeyStore, NewApiKey } from '../../../domain/store/port.ts';
import { listLimit, type Row, toApiKey } from '../rows.ts';
import type { Database } from './database.ts';

const COLUMNS = 'key_id, name, scopes_json, roles_json, tenant, secret_digest, created_at_ms, revoked_at_ms';

export function createApiKeyStore(db: Database): ApiKeyStore {
  return {
    putApiKey: (key) => put(db, key),
    findApiKey: async (secretDigest) => toApiKeyOrNull(await db.get(`SELECT ${COLUMNS} FROM api_keys WHERE secret_digest = :secretDigest`, { secretDigest })),
    listApiKeys: async (limit) => (await db.all(`SELECT ${COLUMNS} FROM api_keys ORDER BY id LIMIT :limit`, { limit: listLimit(limit) })).map(toApiKey),
    revokeApiKey: async (keyId) =>
      toApiKeyOrNull(await db.get(`UPDATE api_keys SET revoked_at_ms = coalesce(revoked_at_ms, :now) WHERE key_id = :keyId RETURNING ${COLUMNS}`, { keyId })),
  };
}

/** A secret that another key has is an error; an id that is there already is not. */
async function put(db: Database, { keyId, name, scopes, roles, tenant, secretDigest }: NewApiKey): Promise<ApiKeyRecord> {
  const inserted = await db.get(
    `INSERT INTO api_keys (key_id, name, scopes_json, roles_json, tenant, secret_digest, created_at_ms)
     VALUES (:keyId, :name, :scopes, :roles, :tenant, :secretDigest, :now) ON CONFLICT (key_id) DO NOTHING RETURNING ${COLUMNS}`,
    { keyId, name, scopes: JSON.stringify(scopes), roles: JSON.stringify(roles), tenant, secretDigest },
  );
  const row = inserted ?? (await db.get(`SELECT ${COLUMNS} FROM api_keys WHERE key_id = :keyId`, { keyId }));
  invariant(row, `API key ${keyId} is in the store after it was put there`);
  return toApiKey(row);
}

function toApiKeyOrNull(row: Row | undefined): ApiKeyRecord | null {
  return row ? toApiKey(row) : null;
}
