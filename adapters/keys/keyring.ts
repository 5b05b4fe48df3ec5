import { randomBytes } from 'node:crypto';
import { TollgateError } from '../../contracts/failures.ts';
import type { Keyring, KeyScope, KeyWrapper, SealingKey } from '../../domain/encryption/port.ts';
import type { KeyRow, KeyStore, NewKeyRow } from '../../domain/encryption/store-port.ts';
import { KeyCache } from './key-cache.ts';
import { keyVersion, sealedUnder, sealingKey } from './sealed.ts';
import { type RawKey, TenantKeys } from './tenant-keys.ts';

const CACHED_KEYS = 1_024;
/** How long a process may go on with a key that another one destroyed. */
const CACHE_TTL_MS = 5 * 60_000;
/** How long a process may take it that a key does not exist. */
const ABSENCE_TTL_MS = 1_000;
const REWRAP_PAGE = 100;

export interface KeyringOptions {
  readonly wrapper: KeyWrapper;
  readonly keys: KeyStore;
  readonly now?: () => number;
}

interface Ground {
  readonly wrapper: KeyWrapper;
  readonly keys: KeyStore;
  readonly tenants: KeyCache<TenantKeys>;
}

type OwnScope = Exclude<KeyScope, { type: 'tenant' }>;

/** A keyring whose keys lie wrapped in the store. */
export function createKeyring({ wrapper, keys, now = Date.now }: KeyringOptions): Keyring {
  const bounds = { size: CACHED_KEYS, ttlMs: CACHE_TTL_MS, now };
  const own = new KeyCache<SealingKey>(bounds);
  const existing = new KeyCache<boolean>({ ...bounds, ttlMs: ABSENCE_TTL_MS });
  const openers = new KeyCache<Awaited<ReturnType<Keyring['opener']>>>(bounds);
  const ground: Ground = { wrapper, keys, tenants: new KeyCache(bounds) };
  return {
    key: async (scope) =>
      scope.type === 'tenant' ? (await tenantKeys(ground, scope.tenant)).sealing : await own.get(nameOf(scope), () => loadOwn(ground, scope)),
    existingKey: async (scope) => {
      const name = nameOf(scope);
      const exists = async () => (await keys.listKeys(rowOf(scope))).length > 0;
      if (!own.peek(name) && !(await existing.get(name, exists))) return null;
      return scope.type === 'tenant' ? (await tenantKeys(ground, scope.tenant)).sealing : await own.get(name, () => loadOwn(ground, scope));
    },
    keyInMemory: (scope) => (scope.type === 'tenant' ? (ground.tenants.peek(scope.tenant)?.sealing ?? null) : own.peek(nameOf(scope))),
    opener: (keyId) => openers.get(keyId, () => loadOpener(ground, keyId)),
    publicKey: async (tenant) => (await tenantKeys(ground, tenant)).publicKey,
    openFromClient: async (tenant, sealed, context) => (await tenantKeys(ground, tenant)).openFromClient(sealed, context),
    keyedHash: async (tenant) => (await tenantKeys(ground, tenant)).hash,
    destroy: async (scope) => {
      const destroyed = await destroyKeys(ground, scope);
      if (scope.type === 'tenant') ground.tenants.delete((name) => name === scope.tenant);
      own.delete((name) => (scope.type === 'tenant' ? name.startsWith(`${JSON.stringify(scope.tenant)} `) : name === nameOf(scope)));
      openers.delete(() => true);
      existing.delete(() => true);
      return destroyed;
    },
    rotate: async (tenant) => {
      const versions = await keys.listKeys(rowOf({ type: 'tenant', tenant }));
      const { keyId } = await makeTenantKey(ground, tenant, versions.length + 1);
      ground.tenants.delete((name) => name === tenant);
      return { keyId };
    },
    rewrap: () => rewrapAll(ground),
  };
}

/** A run or person that has no key yet gets one that is destroyed: nothing that comes late may be kept under a new one. */
async function destroyKeys(ground: Ground, scope: KeyScope): Promise<number> {
  if (scope.type === 'tenant') return await ground.keys.destroyKeys({ tenant: scope.tenant });
  if ((await ground.keys.listKeys(rowOf(scope))).length === 0) await makeOwnKey(ground, scope);
  return await ground.keys.destroyKeys(rowOf(scope));
}

function tenantKeys(ground: Ground, tenant: string): Promise<TenantKeys> {
  return ground.tenants.get(tenant, () => loadTenant(ground, tenant));
}

/** As the store has them now: those in memory where nothing was added or destroyed since, so that no key service is asked in vain. */
async function tenantKeysNow(ground: Ground, tenant: string): Promise<TenantKeys> {
  const newest = (await ground.keys.listKeys(rowOf({ type: 'tenant', tenant }))).at(-1);
  const known = ground.tenants.peek(tenant);
  if (!known || newest?.wrapped === null || known.publicKey.keyId !== newest?.keyId) ground.tenants.delete((name) => name === tenant);
  return await tenantKeys(ground, tenant);
}

/** Every tenant's own keys anew: those of runs and persons are wrapped by them, and stay. */
async function rewrapAll({ wrapper, keys }: Ground): Promise<number> {
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

async function loadOpener(ground: Ground, keyId: string): ReturnType<Keyring['opener']> {
  const row = await ground.keys.getKey(keyId);
  if (!row) return null;
  if (row.wrapped === null) throw new TollgateError('erased', `The key ${keyId} was destroyed by an erasure.`);
  const known = await tenantKeys(ground, row.tenant);
  // One that it does not know was made by another process since.
  const key = row.kind === 'tenant' ? (known.has(keyId) ? known : await tenantKeysNow(ground, row.tenant)).sealing : await unwrapOwn(ground, row, row.wrapped);
  return { tenant: row.tenant, key };
}

async function loadTenant({ wrapper, keys }: Ground, tenant: string): Promise<TenantKeys> {
  const known = await keys.listKeys(rowOf({ type: 'tenant', tenant }));
  const live = known.some(({ wrapped }) => wrapped !== null);
  // A tenant whose keys were destroyed may come back; it then has nothing in common with the one that was erased.
  const rows = live ? known : [...known, await makeTenantKey({ wrapper, keys }, tenant, known.length + 1)];
  const versions: RawKey[] = [];
  for (const row of rows) if (row.wrapped !== null) versions.push({ keyId: row.keyId, raw: await wrapper.unwrap(row.wrapped, contextOf(row)) });
  return new TenantKeys(
    versions,
    rows.filter(({ wrapped }) => wrapped === null).map(({ keyId }) => keyId),
  );
}

async function makeTenantKey({ wrapper, keys }: Pick<Ground, 'wrapper' | 'keys'>, tenant: string, version: number): Promise<KeyRow> {
  const row = { ...rowOf({ type: 'tenant', tenant }), keyId: newKeyId(), version };
  return await keys.putKey({ ...row, wrapped: await wrapper.wrap(randomBytes(32), contextOf(row)) });
}

async function loadOwn(ground: Ground, scope: OwnScope): Promise<SealingKey> {
  const row = (await ground.keys.listKeys(rowOf(scope))).at(-1) ?? (await makeOwnKey(ground, scope));
  if (row.wrapped === null) throw new TollgateError('erased', `The key of ${contextOf(row)} was destroyed by an erasure.`);
  return await unwrapOwn(ground, row, row.wrapped);
}

async function unwrapOwn(ground: Ground, row: KeyRow, wrapped: string): Promise<SealingKey> {
  const bytes = Buffer.from(wrapped, 'base64');
  const open = (tenant: TenantKeys) => sealingKey(keyVersion(row.keyId, tenant.sealing.open(bytes, contextOf(row))));
  const known = await tenantKeys(ground, row.tenant);
  // Another process may have rotated the tenant's key since.
  return open(known.has(sealedUnder(bytes) ?? '') ? known : await tenantKeysNow(ground, row.tenant));
}

/** Wrapped under the tenant's key as the store has it now, not one in memory that may have been destroyed. */
async function makeOwnKey(ground: Ground, scope: OwnScope): Promise<KeyRow> {
  const tenant = await tenantKeysNow(ground, scope.tenant);
  const row = { ...rowOf(scope), keyId: newKeyId(), version: 1 };
  const wrapped = Buffer.from(tenant.sealing.seal(randomBytes(32), contextOf(row))).toString('base64');
  return await ground.keys.putKey({ ...row, wrapped });
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
