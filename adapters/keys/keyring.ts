import { randomBytes } from 'node:crypto';
import { TollgateError } from '../../contracts/failures.ts';
import type { Keyring, KeyScope, KeyWrapper, SealingKey } from '../../domain/encryption/port.ts';
import type { KeyRow, KeyStore, NewKeyRow } from '../../domain/encryption/store-port.ts';
import { KeyCache } from './key-cache.ts';
import { keyVersion, sealingKey } from './sealed.ts';
import { type RawKey, TenantKeys } from './tenant-keys.ts';

const CACHED_KEYS = 1_024;
/** How long a process may go on with a key that another one destroyed. */
const CACHE_TTL_MS = 5 * 60_000;
const REWRAP_PAGE = 100;

export interface KeyringOptions {
  readonly wrapper: KeyWrapper;
  readonly keys: KeyStore;
  readonly now?: () => number;
}

/** A keyring whose keys lie wrapped in the store. */
export function createKeyring({ wrapper, keys, now = Date.now }: KeyringOptions): Keyring {
  const tenants = new KeyCache<TenantKeys>({ size: CACHED_KEYS, ttlMs: CACHE_TTL_MS, now });
  const own = new KeyCache<SealingKey>({ size: CACHED_KEYS, ttlMs: CACHE_TTL_MS, now });
  const openers = new KeyCache<Awaited<ReturnType<Keyring['opener']>>>({ size: CACHED_KEYS, ttlMs: CACHE_TTL_MS, now });
  const tenantKeys = (tenant: string) => tenants.get(tenant, () => loadTenant(wrapper, keys, tenant));
  return {
    key: async (scope) =>
      scope.type === 'tenant' ? (await tenantKeys(scope.tenant)).sealing : await own.get(nameOf(scope), () => loadOwn(wrapper, keys, scope, tenantKeys)),
    keyInMemory: (scope) => (scope.type === 'tenant' ? (tenants.peek(scope.tenant)?.sealing ?? null) : own.peek(nameOf(scope))),
    opener: (keyId) => openers.get(keyId, () => loadOpener(keys, keyId, tenantKeys, (tenant) => tenants.delete((name) => name === tenant))),
    publicKey: async (tenant) => (await tenantKeys(tenant)).publicKey,
    openFromClient: async (tenant, sealed, context) => (await tenantKeys(tenant)).openFromClient(sealed, context),
    keyedHash: async (tenant) => (await tenantKeys(tenant)).hash,
    destroy: async (scope) => {
      const destroyed = await keys.destroyKeys(scope.type === 'tenant' ? { tenant: scope.tenant } : rowOf(scope));
      if (scope.type === 'tenant') {
        tenants.delete((name) => name === scope.tenant);
        openers.delete(() => true);
      }
      own.delete((name) => (scope.type === 'tenant' ? name.startsWith(`${JSON.stringify(scope.tenant)} `) : name === nameOf(scope)));
      return destroyed;
    },
    rotate: async (tenant) => {
      const versions = await keys.listKeys(rowOf({ type: 'tenant', tenant }));
      const { keyId } = await makeTenantKey(wrapper, keys, tenant, versions.length + 1);
      tenants.delete((name) => name === tenant);
      return { keyId };
    },
    rewrap: () => rewrapAll(wrapper, keys),
  };
}

/** Every tenant's own keys anew: those of runs and persons are wrapped by them, and stay. */
async function rewrapAll(wrapper: KeyWrapper, keys: KeyStore): Promise<number> {
  let count = 0;
  for (let afterKeyId = ''; ; ) {
    const page = await keys.listTenantKeys({ afterKeyId, limit: REWRAP_PAGE });
    for (const row of page) {
      const raw = await wrapper.unwrap(row.wrapped ?? '', contextOf(row));
      await keys.rewrapKey(row.keyId, await wrapper.wrap(raw, contextOf(row)));
      afterKeyId = row.keyId;
    }
    count += page.length;
    if (page.length < REWRAP_PAGE) return count;
  }
}

async function loadOpener(
  keys: KeyStore,
  keyId: string,
  tenantKeys: (tenant: string) => Promise<TenantKeys>,
  forget: (tenant: string) => void,
): ReturnType<Keyring['opener']> {
  const row = await keys.getKey(keyId);
  if (row?.kind !== 'tenant') return null;
  if (row.wrapped === null) throw new TollgateError('erased', `The key ${keyId} was destroyed by an erasure.`);
  const known = await tenantKeys(row.tenant);
  if (known.has(keyId)) return { tenant: row.tenant, key: known.sealing };
  // Another process has rotated since.
  forget(row.tenant);
  return { tenant: row.tenant, key: (await tenantKeys(row.tenant)).sealing };
}

async function loadTenant(wrapper: KeyWrapper, keys: KeyStore, tenant: string): Promise<TenantKeys> {
  const known = await keys.listKeys(rowOf({ type: 'tenant', tenant }));
  const live = known.some(({ wrapped }) => wrapped !== null);
  // A tenant whose keys were destroyed may come back; it then has nothing in common with the one that was erased.
  const rows = live ? known : [...known, await makeTenantKey(wrapper, keys, tenant, known.length + 1)];
  const versions: RawKey[] = [];
  for (const row of rows) if (row.wrapped !== null) versions.push({ keyId: row.keyId, raw: await wrapper.unwrap(row.wrapped, contextOf(row)) });
  return new TenantKeys(
    versions,
    rows.filter(({ wrapped }) => wrapped === null).map(({ keyId }) => keyId),
  );
}

async function makeTenantKey(wrapper: KeyWrapper, keys: KeyStore, tenant: string, version: number): Promise<KeyRow> {
  const row = { ...rowOf({ type: 'tenant', tenant }), keyId: newKeyId(), version };
  return await keys.putKey({ ...row, wrapped: await wrapper.wrap(randomBytes(32), contextOf(row)) });
}

async function loadOwn(
  wrapper: KeyWrapper,
  keys: KeyStore,
  scope: Exclude<KeyScope, { type: 'tenant' }>,
  tenantKeys: (tenant: string) => Promise<TenantKeys>,
): Promise<SealingKey> {
  const row = (await keys.listKeys(rowOf(scope))).at(-1) ?? (await makeOwnKey(wrapper, keys, scope));
  if (row.wrapped === null) throw new TollgateError('erased', `The key of ${contextOf(row)} was destroyed by an erasure.`);
  const wrapped = Buffer.from(row.wrapped, 'base64');
  const open = (tenant: TenantKeys) => sealingKey(keyVersion(row.keyId, tenant.sealing.open(wrapped, contextOf(row))));
  try {
    return open(await tenantKeys(scope.tenant));
  } catch {
    // Another process may have rotated the tenant's key since.
    return open(await loadTenant(wrapper, keys, scope.tenant));
  }
}

/** Wrapped under the tenant's key as the store has it now, not one in memory that may have been destroyed. */
async function makeOwnKey(wrapper: KeyWrapper, keys: KeyStore, scope: Exclude<KeyScope, { type: 'tenant' }>): Promise<KeyRow> {
  const tenant = await loadTenant(wrapper, keys, scope.tenant);
  const row = { ...rowOf(scope), keyId: newKeyId(), version: 1 };
  const wrapped = Buffer.from(tenant.sealing.seal(randomBytes(32), contextOf(row))).toString('base64');
  return await keys.putKey({ ...row, wrapped });
}

function newKeyId(): string {
  return randomBytes(8).toString('hex');
}

function rowOf(scope: KeyScope): Pick<NewKeyRow, 'kind' | 'tenant' | 'name'> {
  const { type: kind, tenant } = scope;
  switch (scope.type) {
    case 'tenant':
      return { kind, tenant, name: '' };
    case 'run':
      return { kind, tenant, name: `${scope.runKey.agentRunId}/${scope.runKey.firstExecutionRunId}` };
    case 'person':
      return { kind, tenant, name: scope.person };
  }
}

function nameOf(scope: KeyScope): string {
  const { kind, tenant, name } = rowOf(scope);
  return `${JSON.stringify(tenant)} ${kind} ${name}`;
}

/** What a wrapped key is bound to. */
function contextOf({ kind, tenant, name, keyId }: Pick<NewKeyRow, 'kind' | 'tenant' | 'name' | 'keyId'>): string {
  return `${kind} key ${keyId} ${JSON.stringify([tenant, name])}`;
}
