import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clientSealer } from '../../adapters/keys/client-sealer.ts';
import { openKeyFile } from '../../adapters/keys/key-file.ts';
import { SEALED_OVERHEAD_BYTES } from '../../adapters/keys/sealed.ts';
import type { AgentRunId } from '../../contracts/ids.ts';
import type { Keyring, KeyScope } from '../../domain/encryption/port.ts';
import { type KeyringGround, openKeyringGround } from '../support/keyring.ts';
import { holdsFor } from '../support/property.ts';

const PROCESS = join(import.meta.dirname, '../support/key-file-process.ts');
const acme: KeyScope = { type: 'tenant', tenant: 'acme' };
const run = (tenant: string, id: string): KeyScope => ({ type: 'run', tenant, runKey: { agentRunId: id as AgentRunId, firstExecutionRunId: 'first' } });
const unreadable = expect.objectContaining({ type: 'unreadable' });
const erased = expect.objectContaining({ type: 'erased' });

let ground: KeyringGround;
let keyring: Keyring;
beforeEach(async () => {
  ground = await openKeyringGround();
  keyring = ground.openKeyring();
});
afterEach(() => ground.remove());

describe('a sealed value', () => {
  test('opens to the bytes that went in, and is a constant longer', async () => {
    const key = await keyring.key(run('acme', 'a'));
    holdsFor(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.string()), ([plain, context]) => {
      const sealed = key.seal(plain, context);
      expect(sealed.length).toBe(plain.length + SEALED_OVERHEAD_BYTES);
      expect(Buffer.compare(key.open(sealed, context), plain)).toBe(0);
    });
    holdsFor(fc.string({ unit: 'binary' }), (text) => expect(key.openText(key.sealText(text, 'x'), 'x')).toBe(Buffer.from(text).toString()));
  });

  test('with any single bit changed, cut short, lengthened or under another context opens to nothing', async () => {
    const key = await keyring.key(acme);
    holdsFor(fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.integer({ min: 0, max: 7 })), ([plain, at, bit]) => {
      const sealed = Buffer.from(key.seal(plain, 'here'));
      const changed = Buffer.from(sealed);
      changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ (1 << bit);
      for (const wrong of [changed, sealed.subarray(0, at % sealed.length), Buffer.concat([sealed, Buffer.of(bit)])])
        expect(() => key.open(wrong, 'here')).toThrow(unreadable);
      for (const elsewhere of ['there', 'gone']) expect(() => key.open(sealed, elsewhere)).toThrow(unreadable);
    });
  });

  test('of one owner does not open for another tenant, another run, or the tenant itself', async () => {
    const sealed = (await keyring.key(run('acme', 'a'))).seal(Buffer.from('x'), 'c');
    for (const other of [run('globex', 'a'), run('acme', 'b'), acme, { type: 'person', tenant: 'acme', person: 'a' } as const])
      expect(await openWith(other, sealed)).toEqual(unreadable);
  });

  test('garbage never opens and never does anything but fail as unreadable', async () => {
    const key = await keyring.key(acme);
    holdsFor(fc.uint8Array({ maxLength: 120 }), (garbage) => expect(() => key.open(garbage, 'c')).toThrow(unreadable));
    holdsFor(fc.string({ unit: 'binary' }), (garbage) => expect(() => key.openText(`sealed:1:${garbage}`, 'c')).toThrow(unreadable));
    expect(() => key.openText('plain', 'c')).toThrow(unreadable);
  });
});

async function openWith(scope: KeyScope, sealed: Uint8Array): Promise<unknown> {
  try {
    return (await keyring.key(scope)).open(sealed, 'c');
  } catch (error) {
    return error;
  }
}

describe('the keys of a tenant', () => {
  test('are shared by every process on the same data, and lie in the store wrapped only', async () => {
    const other = ground.openKeyring();
    const [mine, theirs] = await Promise.all([keyring.key(run('acme', 'a')), other.key(run('acme', 'a'))]);
    expect(Buffer.from(theirs.open(mine.seal(Buffer.from('x'), 'c'), 'c')).toString()).toBe('x');
    const rows = await ground.store.listKeys({ kind: 'run', tenant: 'acme', name: 'a/first' });
    expect(rows).toHaveLength(1);
    expect(await ground.openKeyring().key(acme)).toBeDefined();
    expect(await ground.store.listKeys({ kind: 'tenant', tenant: 'acme', name: '' })).toHaveLength(1);
  });

  test('after a rotation the new one seals, in every process, and the old one still opens', async () => {
    const before = (await keyring.key(acme)).seal(Buffer.from('old'), 'c');
    const runBefore = (await keyring.key(run('acme', 'a'))).seal(Buffer.from('old run'), 'c');
    const { keyId } = await ground.openKeyring().rotate('acme');
    await keyring.key(run('acme', 'made after the rotation of another process'));
    const fresh = ground.openKeyring();
    const after = (await fresh.key(acme)).seal(Buffer.from('new'), 'c');
    expect(Buffer.from(after).subarray(1, 9).toString('hex')).toBe(keyId);
    expect(Buffer.from(before).subarray(1, 9).toString('hex')).not.toBe(keyId);
    expect(Buffer.from((await fresh.key(acme)).open(before, 'c')).toString()).toBe('old');
    expect(Buffer.from((await fresh.key(run('acme', 'a'))).open(runBefore, 'c')).toString()).toBe('old run');
    const late = await fresh.key(run('acme', 'b'));
    expect(Buffer.from((await keyring.key(run('acme', 'b'))).open(late.seal(Buffer.from('x'), 'c'), 'c')).toString()).toBe('x');
  });

  test('after the root key was rotated and the keys wrapped anew, another process that has not heard of it still opens', async () => {
    const sealed = (await keyring.key(run('acme', 'a'))).seal(Buffer.from('x'), 'c');
    const waiting = ground.openKeyring();
    await waiting.key({ type: 'tenant', tenant: 'globex' });
    const wrapper = openKeyFile(ground.home);
    expect(await wrapper.rotate()).toEqual({ keyId: 'root-2' });
    expect(await keyring.rewrap()).toBe(2);
    expect(Buffer.from((await waiting.key(run('acme', 'a'))).open(sealed, 'c')).toString()).toBe('x');
    // What was wrapped under the new root key only needs the new file only.
    await rm(join(ground.home, 'keys/root-1.key'));
    const [row] = await ground.store.listKeys({ kind: 'tenant', tenant: 'acme', name: '' });
    expect(await openKeyFile(ground.home).unwrap(row?.wrapped ?? '', `tenant key ${row?.keyId} ["acme",""]`)).toHaveLength(32);
  });

  test('destroyed, leave what they sealed unreadable: a run alone, or a tenant with all its runs', async () => {
    const [a, b, other] = [run('acme', 'a'), run('acme', 'b'), run('globex', 'a')];
    const sealed = await Promise.all([a, b, other].map(async (scope) => (await keyring.key(scope)).seal(Buffer.from('x'), 'c')));
    const underTenant = (await keyring.key(acme)).seal(Buffer.from('x'), 'c');
    expect(await keyring.destroy(a)).toBe(1);
    expect(await keyring.destroy(a)).toBe(0);
    await expect(keyring.key(a)).rejects.toEqual(erased);
    await expect(ground.openKeyring().key(a)).rejects.toEqual(erased);
    expect(Buffer.from((await keyring.key(b)).open(sealed[1] ?? Buffer.of(), 'c')).toString()).toBe('x');
    expect(await keyring.destroy(acme)).toBe(2);
    await expect(keyring.key(b)).rejects.toEqual(erased);
    // The tenant may come back, with keys that open nothing of before.
    const back = await keyring.key(acme);
    expect(() => back.open(underTenant, 'c')).toThrow(erased);
    await expect(keyring.key(b)).rejects.toEqual(erased);
    expect(Buffer.from((await keyring.key(other)).open(sealed[2] ?? Buffer.of(), 'c')).toString()).toBe('x');
  });

  test('a key that another process destroyed is forgotten after five minutes', async () => {
    await keyring.key(run('acme', 'a'));
    await ground.openKeyring().destroy(run('acme', 'a'));
    expect(keyring.keyInMemory(run('acme', 'a'))).not.toBeNull();
    ground.clock.nowMs += 5 * 60_000;
    expect(keyring.keyInMemory(run('acme', 'a'))).toBeNull();
    await expect(keyring.key(run('acme', 'a'))).rejects.toEqual(erased);
  });

  test('a wrapped key that was moved to another tenant does not unwrap', async () => {
    await keyring.key(acme);
    const [row] = await ground.store.listKeys({ kind: 'tenant', tenant: 'acme', name: '' });
    await ground.store.putKey({ keyId: 'aaaaaaaaaaaaaaaa', kind: 'tenant', tenant: 'thief', name: '', version: 1, wrapped: row?.wrapped ?? '' });
    await expect(keyring.key({ type: 'tenant', tenant: 'thief' })).rejects.toEqual(unreadable);
  });

  test('give hashes that depend on tenant, purpose and value, and not on the version of the key', async () => {
    const hash = await keyring.keyedHash('acme');
    const first = hash.hash('email', 'ada@example.com');
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    await keyring.rotate('acme');
    expect((await ground.openKeyring().keyedHash('acme')).hash('email', 'ada@example.com')).toBe(first);
    for (const other of [hash.hash('phone', 'ada@example.com'), hash.hash('email', 'Ada@example.com'), hash.hash('emaila', 'da@example.com')])
      expect(other).not.toBe(first);
    expect((await keyring.keyedHash('globex')).hash('email', 'ada@example.com')).not.toBe(first);
  });
});

describe('what a client sealed with the public key alone', () => {
  test('opens for the tenant only, also after a rotation, and fails closed on any change', async () => {
    const to = await keyring.publicKey('acme');
    const sealed = Buffer.from(clientSealer.seal(to, Buffer.from('4111 1111'), 'run a'));
    await keyring.rotate('acme');
    expect(Buffer.from(await keyring.openFromClient('acme', sealed, 'run a')).toString()).toBe('4111 1111');
    await expect(keyring.openFromClient('globex', sealed, 'run a')).rejects.toEqual(unreadable);
    await expect(keyring.openFromClient('acme', sealed, 'run b')).rejects.toEqual(unreadable);
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(keyring.openFromClient('acme', changed, 'run a')).rejects.toEqual(unreadable);
    }
    expect(clientSealer.seal(to, Buffer.from('4111 1111'), 'run a')).not.toEqual(sealed);
    expect(() => clientSealer.seal({ keyId: 'x', publicKey: 'y' }, Buffer.of(), '')).toThrow(expect.objectContaining({ type: 'invalidInput' }));
  });
});

describe('the key file', () => {
  test('that several processes make at once is one, whole, and for its owner only', async () => {
    const home = await mkdtemp(join(tmpdir(), 'tollgate-keys-'));
    const children = Array.from({ length: 6 }, () => fork(PROCESS, [home]));
    try {
      await Promise.all(children.map((child) => once(child, 'message')));
      const answers = children.map(async (child) => (await once(child, 'message'))[0] as { pid: number; wrapped: string });
      for (const child of children) child.send('go');
      for (const { pid, wrapped } of await Promise.all(answers))
        expect(Buffer.from(await openKeyFile(home).unwrap(wrapped, 'a test')).toString()).toBe(String(pid));
      expect(await readdir(join(home, 'keys'))).toEqual(['root-1.key']);
      expect((await stat(join(home, 'keys/root-1.key'))).mode & 0o777).toBe(0o600);
      expect((await stat(join(home, 'keys'))).mode & 0o777).toBe(0o700);
    } finally {
      for (const child of children) child.kill();
      await rm(home, { recursive: true, force: true });
    }
  });

  test('that is another one, or broken, says which file to bring back', async () => {
    await keyring.key(acme);
    await rm(join(ground.home, 'keys/root-1.key'));
    await expect(ground.openKeyring().key(acme)).rejects.toThrow(/root-\*\.key/);
    await writeFile(join(ground.home, 'keys/root-1.key'), 'half a k');
    await expect(ground.openKeyring().key(acme)).rejects.toThrow(/root-1\.key is no root key/);
  });
});
