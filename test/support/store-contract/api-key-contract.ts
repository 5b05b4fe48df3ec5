import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NewApiKey } from '../../../domain/store/port.ts';
import type { Subject } from '../store-contract.ts';

function newApiKey(change: Partial<NewApiKey> = {}): NewApiKey {
  return { keyId: randomUUID(), name: 'shop', scopes: ['start', 'read'], roles: ['support-lead'], tenant: 'acme', secretDigest: randomUUID(), ...change };
}

export function describeApiKeyContract(subject: Subject): void {
  test('an API key is found by the digest of its secret, as it was put, and by nothing else', async () => {
    const { store, clock } = subject();
    const key = newApiKey();
    const record = { ...key, createdAtMs: clock.nowMs, revokedAtMs: null };
    expect(await store.putApiKey(key)).toEqual(record);
    expect(await store.findApiKey(key.secretDigest)).toEqual(record);
    for (const other of [key.keyId, key.name, '', key.secretDigest.slice(1), key.secretDigest.toUpperCase()]) expect(await store.findApiKey(other)).toBeNull();
    const unbound = newApiKey({ tenant: null, roles: [], scopes: ['decide'] });
    await store.putApiKey(unbound);
    expect(await store.findApiKey(unbound.secretDigest)).toMatchObject({ tenant: null, roles: [], scopes: ['decide'] });
  });

  test('an API key put again stays as it was, and two keys never share a secret', async () => {
    const { store } = subject();
    const key = newApiKey();
    const first = await store.putApiKey(key);
    expect(await store.putApiKey({ ...key, scopes: ['decide'], roles: ['*'], tenant: null, secretDigest: 'another' })).toEqual(first);
    expect(await store.findApiKey('another')).toBeNull();
    await expect(store.putApiKey(newApiKey({ secretDigest: key.secretDigest }))).rejects.toThrow();
    expect(await store.listApiKeys(10)).toEqual([first]);
  });

  test('a revoked API key stays revoked since the first time, also for another process, and is still listed', async () => {
    const { store, another, clock } = subject();
    const [key, other] = [newApiKey(), newApiKey({ name: 'desk' })];
    await store.putApiKey(key);
    await store.putApiKey(other);
    const revokedAtMs = clock.nowMs;
    expect(await store.revokeApiKey(key.keyId)).toMatchObject({ keyId: key.keyId, revokedAtMs });
    clock.nowMs += 10;
    expect(await store.revokeApiKey(key.keyId)).toMatchObject({ revokedAtMs });
    expect(await store.putApiKey(key)).toMatchObject({ revokedAtMs });
    const second = await another();
    expect(await second.findApiKey(key.secretDigest)).toMatchObject({ revokedAtMs });
    await second.close();
    expect((await store.listApiKeys(10)).map(({ name, revokedAtMs: at }) => [name, at])).toEqual([
      ['shop', revokedAtMs],
      ['desk', null],
    ]);
    expect(await store.revokeApiKey('no-such-key')).toBeNull();
  });

  test('API keys are listed oldest first, never more than asked for', async () => {
    const { store, clock } = subject();
    expect(await store.listApiKeys(1)).toEqual([]);
    for (const name of ['a', 'b', 'c']) {
      await store.putApiKey(newApiKey({ name }));
      clock.nowMs += 1;
    }
    expect((await store.listApiKeys(2)).map(({ name }) => name)).toEqual(['a', 'b']);
    await expect(store.listApiKeys(0)).rejects.toThrow('limit');
  });
}
