import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NewKeyRow } from '../../../domain/encryption/store-port.ts';
import type { Subject } from '../store-contract.ts';

function newKey(change: Partial<NewKeyRow> = {}): NewKeyRow {
  return { keyId: randomUUID(), kind: 'run', tenant: 'acme', name: 'a/first', version: 1, wrapped: 'file:x', ...change };
}

export function describeKeyContract(subject: Subject): void {
  test('of two keys for the same place and version the first stays, also for another process', async () => {
    const { store, another, clock } = subject();
    const second = await another();
    const [key, rival] = [newKey(), newKey({ wrapped: 'file:y' })];
    const [first, again] = await Promise.all([store.putKey(key), second.putKey(rival)]);
    expect(again).toEqual(first);
    expect([key.keyId, rival.keyId]).toContain(first.keyId);
    expect(first).toMatchObject({ createdAtMs: clock.nowMs, destroyedAtMs: null });
    const next = await store.putKey(newKey({ version: 2 }));
    await store.putKey(newKey({ tenant: 'globex' }));
    await store.putKey(newKey({ name: 'b/first' }));
    await store.putKey(newKey({ kind: 'tenant', name: '' }));
    expect(await second.getKey(first.keyId)).toEqual(first);
    expect(await second.getKey('no such key')).toBeNull();
    expect(await second.listKeys({ kind: 'run', tenant: 'acme', name: 'a/first' })).toEqual([first, next]);
    await second.close();
  });

  test('a destroyed key keeps its row and nothing else, and can be neither put nor wrapped again', async () => {
    const { store, clock } = subject();
    const [key, other] = [newKey(), newKey({ name: 'b/first' })];
    await store.putKey(key);
    await store.putKey(other);
    const destroyedAtMs = clock.nowMs;
    expect(await store.destroyKeys({ tenant: 'acme', kind: 'run', name: 'a/first' })).toBe(1);
    clock.nowMs += 1;
    expect(await store.destroyKeys({ tenant: 'acme', kind: 'run', name: 'a/first' })).toBe(0);
    await store.rewrapKey(key.keyId, 'file:z');
    expect(await store.putKey(newKey())).toMatchObject({ keyId: key.keyId, wrapped: null, destroyedAtMs });
    expect(await store.listKeys({ kind: 'run', tenant: 'acme', name: 'b/first' })).toMatchObject([{ wrapped: 'file:x', destroyedAtMs: null }]);
    await store.putKey(newKey({ tenant: 'globex' }));
    expect(await store.destroyKeys({ tenant: 'acme' })).toBe(1);
    expect(await store.listKeys({ kind: 'run', tenant: 'globex', name: 'a/first' })).toMatchObject([{ destroyedAtMs: null }]);
  });

  test("the tenants' own live keys are listed in pages, and wrapped anew", async () => {
    const { store } = subject();
    for (const tenant of ['a', 'b', 'c', 'd']) await store.putKey(newKey({ kind: 'tenant', tenant, name: '', keyId: `key-${tenant}` }));
    await store.putKey(newKey());
    await store.destroyKeys({ tenant: 'c' });
    expect((await store.listTenantKeys({ limit: 2 })).map(({ tenant }) => tenant)).toEqual(['a', 'b']);
    expect((await store.listTenantKeys({ afterKeyId: 'key-b', limit: 2 })).map(({ tenant }) => tenant)).toEqual(['d']);
    await store.rewrapKey('key-a', 'file:new');
    expect(await store.listKeys({ kind: 'tenant', tenant: 'a', name: '' })).toMatchObject([{ wrapped: 'file:new' }]);
  });
}
