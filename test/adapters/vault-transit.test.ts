import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyring } from '../../adapters/keys/keyring.ts';
import { openKeyFile } from '../../adapters/keys/key-file.ts';
import { openVaultTransit } from '../../adapters/keys/vault-transit.ts';
import { type KeyringGround, openKeyringGround } from '../support/keyring.ts';

/** The Transit engine's encrypt and decrypt as its API page describes them, with versions of the key. */
class Transit {
  readonly keys = [randomBytes(32)];
  readonly requests: string[] = [];
  status = 200;
  answer: string | null = null;
  readonly #server: Server;
  url = '';

  constructor() {
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      request.on('end', () => {
        this.requests.push(`${request.method} ${request.url} ${request.headers['x-vault-token']}`);
        const send = (status: number, body: unknown) =>
          response.writeHead(status, { 'content-type': 'application/json' }).end(typeof body === 'string' ? body : JSON.stringify(body));
        if (this.answer !== null) return send(200, this.answer);
        if (this.status !== 200) return send(this.status, { errors: ['no'] });
        try {
          send(200, { data: this.#work(request.url ?? '', JSON.parse(text) as Record<string, string>) });
        } catch (error) {
          send(400, { errors: [(error as Error).message] });
        }
      });
    });
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as { port: number }).port}/v1/transit/keys/tollgate`;
    return this;
  }

  close(): Promise<unknown> {
    return new Promise((resolve) => this.#server.close(resolve));
  }

  #work(url: string, body: Record<string, string>) {
    const aad = Buffer.from(body.associated_data ?? '', 'base64');
    if (url === '/v1/transit/encrypt/tollgate') {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', this.keys.at(-1) ?? '', nonce).setAAD(aad);
      const sealed = Buffer.concat([nonce, cipher.update(Buffer.from(body.plaintext ?? '', 'base64')), cipher.final(), cipher.getAuthTag()]);
      return { ciphertext: `vault:v${this.keys.length}:${sealed.toString('base64')}`, key_version: this.keys.length };
    }
    if (url !== '/v1/transit/decrypt/tollgate') throw new Error('no such path');
    const [, version, text] = /^vault:v(\d+):(.+)$/.exec(body.ciphertext ?? '') ?? [];
    const sealed = Buffer.from(text ?? '', 'base64');
    const decipher = createDecipheriv('aes-256-gcm', this.keys[Number(version) - 1] ?? '', sealed.subarray(0, 12))
      .setAAD(aad)
      .setAuthTag(sealed.subarray(-16));
    return { plaintext: Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString('base64') };
  }
}

let transit: Transit;
let ground: KeyringGround;
beforeEach(async () => {
  transit = await new Transit().open();
  ground = await openKeyringGround();
});
afterEach(async () => {
  await transit.close();
  await ground.remove();
});

test('keys are wrapped by the service, which is asked once for a tenant, and opened by another process', async () => {
  const keyring = () => createKeyring({ wrapper: openVaultTransit({ url: transit.url, token: 't' }), keys: ground.store });
  const [first, other] = [keyring(), keyring()];
  const run = (id: string) => ({ type: 'run', tenant: 'acme', runKey: { agentRunId: id as never, firstExecutionRunId: 'f' } }) as const;
  const sealed = (await first.key(run('a'))).seal(Buffer.from('x'), 'c');
  for (const id of ['b', 'c', 'd']) await first.key(run(id));
  expect(transit.requests).toEqual(['POST /v1/transit/encrypt/tollgate t', 'POST /v1/transit/decrypt/tollgate t']);
  expect(Buffer.from((await other.key(run('a'))).open(sealed, 'c')).toString()).toBe('x');
  transit.keys.push(randomBytes(32));
  expect(await other.rewrap()).toBe(1);
  expect((await ground.store.listTenantKeys({ limit: 9 }))[0]?.wrapped).toMatch(/^vault:v2:/);
  expect(Buffer.from((await keyring().key(run('a'))).open(sealed, 'c')).toString()).toBe('x');
});

test('a service that does not answer is waited for; a key it can not open is unreadable; neither is taken for the other', async () => {
  const wrapper = openVaultTransit({ url: transit.url });
  const wrapped = await wrapper.wrap(randomBytes(32), 'here');
  await expect(wrapper.unwrap(wrapped, 'there')).rejects.toMatchObject({ type: 'unreadable' });
  await expect(wrapper.unwrap(await openKeyFile(ground.home).wrap(randomBytes(32), 'here'), 'here')).rejects.toMatchObject({ type: 'unreadable' });
  for (const status of [403, 429, 503]) {
    transit.status = status;
    await expect(wrapper.unwrap(wrapped, 'here')).rejects.toMatchObject({ type: 'keysUnavailable', message: expect.stringContaining(String(status)) });
  }
  for (const answer of ['not json', '{}', '{"data":{"plaintext":7}}']) {
    transit.answer = answer;
    await expect(wrapper.unwrap(wrapped, 'here')).rejects.toMatchObject({ type: 'keysUnavailable' });
    await expect(wrapper.wrap(randomBytes(32), 'here')).rejects.toMatchObject({ type: 'keysUnavailable' });
  }
  await expect(openVaultTransit({ url: 'http://127.0.0.1:1/v1/transit/keys/k' }).wrap(randomBytes(32), 'x')).rejects.toMatchObject({ type: 'keysUnavailable' });
  await expect(wrapper.rotate()).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('keyring rewrap') });
});
