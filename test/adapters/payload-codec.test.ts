import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PayloadCodec, type PayloadBytes } from '../../adapters/keys/payload-codec.ts';
import { TollgateError } from '../../contracts/failures.ts';
import { type KeyringGround, openKeyringGround } from '../support/keyring.ts';

let ground: KeyringGround;
beforeEach(async () => {
  ground = await openKeyringGround();
});
afterEach(() => ground.remove());

const codecOf = (given = ground, seals = true) => {
  const keyring = given.openKeyring();
  return new PayloadCodec(async () => keyring, { seals: () => seals });
};
const json = (value: unknown): PayloadBytes => ({ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) });
const jsonOf = ({ data }: PayloadBytes) => JSON.parse(Buffer.from(data ?? []).toString('utf8')) as unknown;
const encodingOf = ({ metadata }: PayloadBytes) => Buffer.from(metadata?.encoding ?? []).toString('utf8');
/** Without what the codec leaves for the workflow's converter. */
const bare = ({ metadata, data }: PayloadBytes) => {
  const { codec: _, ...rest } = metadata ?? {};
  return { metadata: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, Buffer.from(value)])), data: Buffer.from(data ?? []) };
};

const anyPayload: fc.Arbitrary<PayloadBytes> = fc.record({
  metadata: fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => name !== '__proto__' && name !== 'readable' && name !== 'codec'),
    fc.uint8Array({ maxLength: 20 }),
  ),
  data: fc.uint8Array({ maxLength: 200 }),
});

describe('the payload codec', () => {
  test('gives back what it sealed, whatever it was, at a constant cost in bytes', async () => {
    const codec = codecOf();
    await fc.assert(
      fc.asyncProperty(anyPayload, fc.jsonValue(), async (payload, value) => {
        const [sealed, sealedJson] = await codec.encode([payload, json(value)], { workflowId: 'w' });
        if (!sealed || !sealedJson) throw new Error('two in, two out');
        expect(encodingOf(sealedJson)).toBe('binary/sealed');
        expect((sealedJson.data?.length ?? 0) - (json(value).data?.length ?? 0)).toBe(38);
        const [opened, openedJson] = await codec.decode([sealed, sealedJson], { workflowId: 'w' });
        expect(bare(opened ?? {})).toEqual(bare(payload));
        expect(bare(openedJson ?? {})).toEqual(bare(json(value)));
      }),
      { numRuns: 200 },
    );
  });

  test('never throws on garbage: what does not open becomes a value of type undecodable', async () => {
    const codec = codecOf();
    const [good] = await codec.encode([json({ tenant: 'acme', secret: 1 })], { workflowId: 'w' });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 120 }), fc.nat(), async (garbage, at) => {
        const changed = Buffer.from(good?.data ?? []);
        changed[at % changed.length] = (changed[at % changed.length] ?? 0) ^ 1;
        for (const data of [garbage, changed, changed.subarray(0, at % changed.length)]) {
          const [read] = await codec.decode([{ metadata: { encoding: Buffer.from('binary/sealed') }, data }], { workflowId: 'w' });
          expect(jsonOf(read ?? {})).toMatchObject({ type: 'undecodable', reason: expect.any(String) });
        }
      }),
      { numRuns: 200 },
    );
    for (const payload of [{}, { metadata: null, data: null }, { metadata: { encoding: Buffer.from('binary/sealed') } }])
      await codec.decode([payload as PayloadBytes]);
  });

  test('reads payloads that were never sealed, also where it seals', async () => {
    const [read] = await codecOf().decode([json({ old: true })], {});
    expect(jsonOf(read ?? {})).toEqual({ old: true });
    expect(encodingOf(read ?? {})).toBe('json/plain');
  });

  test('switched off, it seals nothing and still opens what was sealed before', async () => {
    const [sealed] = await codecOf().encode([json({ tenant: 'acme' })], { workflowId: 'w' });
    const off = codecOf(ground, false);
    expect(await off.encode([json({ a: 1 })], { workflowId: 'w' })).toEqual([json({ a: 1 })]);
    expect(jsonOf((await off.decode([sealed ?? {}], { workflowId: 'w' }))[0] ?? {})).toEqual({ tenant: 'acme' });
  });

  test("a workflow's payloads are sealed under its tenant's key, in whatever process the tenant became known", async () => {
    const tenantOf = async (payload: PayloadBytes | undefined) => {
      const keyId = Buffer.from(payload?.data ?? [])
        .subarray(1, 9)
        .toString('hex');
      return (await ground.openKeyring().opener(keyId))?.tenant;
    };
    const [client, worker] = [codecOf(), codecOf()];
    const [start] = await client.encode([json({ version: 1, tenant: 'acme' })], { workflowId: 'run-1' });
    expect(await tenantOf(start)).toBe('acme');
    expect(await tenantOf((await client.encode([json({ message: 'hi' })], { workflowId: 'run-1' }))[0])).toBe('acme');
    expect(await tenantOf((await worker.encode([json('before')], { workflowId: 'run-1' }))[0])).toBe('');
    await worker.decode([start ?? {}], { workflowId: 'run-1' });
    expect(await tenantOf((await worker.encode([json({ result: 1 })], { workflowId: 'run-1' }))[0])).toBe('acme');
    expect(await tenantOf((await worker.encode([json({ result: 1, tenant: 'globex' })], { workflowId: 'run-1' }))[0])).toBe('acme');
    expect(await tenantOf((await worker.encode([json({ result: 1 })], { workflowId: 'run-2' }))[0])).toBe('');
    expect(await tenantOf((await worker.encode([json({ result: 1 })]))[0])).toBe('');
  });

  test('with other keys than the sender it reads a value that says which key is missing', async () => {
    const elsewhere = await openKeyringGround();
    try {
      const [sealed] = await codecOf().encode([json({ tenant: 'acme' })], { workflowId: 'w' });
      const [read] = await codecOf(elsewhere).decode([sealed ?? {}], { workflowId: 'w' });
      expect(jsonOf(read ?? {})).toEqual({
        type: 'undecodable',
        reason: expect.stringMatching(/sealed under the key [0-9a-f]{16}, which is not in this store/),
      });
    } finally {
      await elsewhere.remove();
    }
  });

  test('after an erasure of the tenant its payloads are undecodable, and say why', async () => {
    const [sealed] = await codecOf().encode([json({ tenant: 'acme' })], { workflowId: 'w' });
    await ground.openKeyring().destroy({ type: 'tenant', tenant: 'acme' });
    const [read] = await codecOf().decode([sealed ?? {}]);
    expect(jsonOf(read ?? {})).toEqual({ type: 'undecodable', reason: expect.stringContaining('destroyed by an erasure') });
  });

  test('a key service that does not answer is no reason to take a value for unreadable', async () => {
    const [sealed] = await codecOf().encode([json({ tenant: 'acme' })], { workflowId: 'w' });
    const keyring = { ...ground.openKeyring(), opener: () => Promise.reject(new TollgateError('keysUnavailable', 'down')) };
    const codec = new PayloadCodec(async () => keyring, { seals: () => true });
    await expect(codec.decode([sealed ?? {}])).rejects.toMatchObject({ type: 'keysUnavailable' });
  });

  test('a text that is to stay readable stays so, once, and no other text', async () => {
    const codec = codecOf();
    codec.leaveReadable('refund · acme');
    const [summary, again, other] = await codec.encode([json('refund · acme'), json('refund · acme'), json('my secret')], { workflowId: 'w' });
    expect([summary, again, other].map((payload) => encodingOf(payload ?? {}))).toEqual(['json/plain', 'binary/sealed', 'binary/sealed']);
    const marked = { ...json('step 1'), metadata: { encoding: Buffer.from('json/plain'), readable: Buffer.from('1') } };
    expect(await codec.encode([marked])).toEqual([json('step 1')]);
  });
});
