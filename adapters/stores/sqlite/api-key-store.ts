import type { ApiKeyRecord, ApiKeyStore, NewApiKey } from '../../../domain/store/port.ts';
import { listLimit, toApiKey } from '../rows.ts';
import type { Connection } from './connection.ts';

export function createApiKeyStore(db: Connection): ApiKeyStore {
  return {
    putApiKey: async (key) => db.write(() => put(db, key)),
    findApiKey: async (secretDigest) => db.read(() => one(db, 'secret_digest = :secretDigest', { secretDigest })),
    listApiKeys: async (limit) => db.read(() => db.all('SELECT * FROM api_keys ORDER BY id LIMIT :limit', { limit: listLimit(limit) }).map(toApiKey)),
    revokeApiKey: async (keyId) =>
      db.write(() => {
        db.run('UPDATE api_keys SET revoked_at_ms = COALESCE(revoked_at_ms, :now) WHERE key_id = :keyId', { keyId, now: db.now() });
        return one(db, 'key_id = :keyId', { keyId });
      }),
  };
}

function put(db: Connection, { keyId, name, scopes, roles, tenant, secretDigest }: NewApiKey): ApiKeyRecord {
  const existing = one(db, 'key_id = :keyId', { keyId });
  if (existing) return existing;
  const createdAtMs = db.now();
  db.run(
    `INSERT INTO api_keys (key_id, name, scopes_json, roles_json, tenant, secret_digest, created_at_ms)
     VALUES (:keyId, :name, :scopes, :roles, :tenant, :secretDigest, :createdAtMs)`,
    { keyId, name, scopes: JSON.stringify(scopes), roles: JSON.stringify(roles), tenant, secretDigest, createdAtMs },
  );
  return { keyId, name, scopes, roles, tenant, secretDigest, createdAtMs, revokedAtMs: null };
}

function one(db: Connection, condition: string, parameters: Record<string, string>): ApiKeyRecord | null {
  const row = db.get(`SELECT * FROM api_keys WHERE ${condition}`, parameters);
  return row ? toApiKey(row) : null;
}
