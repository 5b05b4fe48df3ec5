import { createHmac, generateKeyPairSync } from 'node:crypto';
import { exportSPKI, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTokenVerifier } from '../../adapters/identity/token-verifier.ts';
import type { TokenVerifier } from '../../domain/identity/port.ts';
import { AUDIENCE, Issuer, KeyServer } from '../support/issuer.ts';

const claims = { roles: 'roles', tenant: 'tenant', displayName: 'name' };
const COOLDOWN_MS = 50;

let server: KeyServer;
let verifier: TokenVerifier;
const verifierOf = (options: object = {}) => createTokenVerifier({ issuer: server.url, audience: AUDIENCE, claims, keysCooldownMs: COOLDOWN_MS, ...options });
beforeEach(async () => {
  server = await KeyServer.listen();
  verifier = verifierOf();
});
afterEach(() => server.close());

const seconds = () => Math.floor(Date.now() / 1_000);
const outcome = (token: string, by = verifier) =>
  by.verify(token).then(
    (person) => person.name,
    (error: { readonly type: string }) => error.type,
  );

test('a token that a real issuer made for this API says who it is', async () => {
  const issuer = await Issuer.listen();
  try {
    await issuer.serve('http://127.0.0.1:1/login/callback');
    const real = createTokenVerifier({ issuer: issuer.url, audience: AUDIENCE, claims });
    const name = `oidc:${issuer.url.slice('http://'.length)}#alice`;
    expect(await real.verify(await issuer.accessToken('alice'))).toEqual({
      name,
      displayName: 'Alice Ames',
      roles: ['support-lead'],
      tenant: 'acme',
      mayStart: false,
    });
    // What a token claims by itself never is every role.
    expect((await real.verify(await issuer.accessToken('mallory'))).roles).toEqual(['support-lead']);
    expect(await outcome(await issuer.accessToken('nobody'), real)).toBe('forbidden');
    expect(await outcome(await issuer.accessToken('alice', 'https://other.example/api'), real)).toBe('unauthenticated');
    expect(await outcome(await issuer.accessToken('alice')), 'a token of another issuer').toBe('unauthenticated');
  } finally {
    await issuer.close();
  }
});

describe('a token does not count', () => {
  test('that is meant for others, of another time, or about nobody', async () => {
    expect(await outcome(await server.token())).toMatch(/^oidc:.*#alice$/);
    for (const changes of [
      { iss: 'https://other.example' },
      { iss: `${server.url}/` },
      { iss: undefined },
      { aud: 'https://other.example' },
      { aud: [] },
      { aud: undefined },
      { exp: seconds() - 60 },
      { exp: undefined },
      { exp: 'tomorrow' as never },
      { nbf: seconds() + 120 },
      { sub: undefined },
      { sub: '' },
    ])
      expect([changes, await outcome(await server.token(changes))]).toEqual([changes, 'unauthenticated']);
    expect(await outcome(await server.token({ exp: seconds() - 5, nbf: seconds() + 5 })), 'within the skew of clocks').toMatch(/#alice$/);
    expect(await outcome(await server.token({ aud: ['https://other.example', AUDIENCE] }))).toMatch(/#alice$/);
  });

  test('that nobody signed, or somebody else did, or that was changed since', async () => {
    const good = await server.token();
    const [header = '', payload = '', signature = ''] = good.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const admin = encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), sub: 'admin' });
    const publicPem = await exportSPKI(server.pair.publicKey);
    const hmac = (secret: string, alg: string) => {
      const signed = `${encode({ alg, kid: server.kid, typ: 'at+jwt' })}.${payload}`;
      return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    };
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const strangers = (header: object) =>
      new SignJWT(JSON.parse(Buffer.from(payload, 'base64url').toString())).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', ...header }).sign(stranger);
    const unsecured = new UnsecuredJWT(JSON.parse(Buffer.from(payload, 'base64url').toString())).encode();
    const forged = {
      'alg none': unsecured,
      'alg none with a signature': `${encode({ alg: 'none' })}.${payload}.${signature}`,
      'alg nOnE': `${encode({ alg: 'nOnE', kid: server.kid })}.${payload}.`,
      'HS256 with the public key': hmac(publicPem, 'HS256'),
      'HMAC that says ES256': hmac(publicPem, 'ES256'),
      'no signature': `${header}.${payload}.`,
      'changed payload': `${header}.${admin}.${signature}`,
      'changed signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'zero signature': `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
      'a stranger’s key under the known id': await strangers({ kid: server.kid }),
      'an unknown key id': await strangers({ kid: 'unknown' }),
      'no key id, a stranger’s key': await strangers({}),
      'a key inside': await strangers({ kid: server.kid, jwk: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) }),
      'a key from elsewhere': await strangers({ kid: server.kid, jku: 'http://127.0.0.1:1/keys' }),
      'a critical header': await strangers({ kid: server.kid, crit: ['b64'], b64: true }),
      'no token': 'a.b.c',
      empty: '..',
      'an opaque token': 'opaque',
      'five parts': `${good}.x.y`,
      'too long': `${header}.${'A'.repeat(20_000)}.${signature}`,
    };
    for (const [name, token] of Object.entries(forged)) expect([name, await outcome(token)]).toEqual([name, 'unauthenticated']);
  });

  test('that is no access token: an ID token, a refresh or logout token, one bound to a key', async () => {
    for (const [changes, typ] of [
      [{ nonce: 'n' }, 'JWT'],
      [{ at_hash: 'h' }, 'JWT'],
      [{ c_hash: 'h' }, undefined],
      [{ typ: 'ID' }, 'at+jwt'],
      [{ typ: 'Refresh' }, 'JWT'],
      [{ token_use: 'id' }, 'JWT'],
      [{ events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }, 'logout+jwt'],
      [{ cnf: { jkt: 'thumbprint' } }, 'at+jwt'],
    ] as const)
      expect([changes, await outcome(await server.token(changes, { typ }))]).toEqual([changes, 'unauthenticated']);
    expect(await outcome(await server.token({ nonce: 'n' })), 'marked as RFC 9068 has it').toMatch(/#alice$/);
    expect(await outcome(await server.token({ typ: 'Bearer', nonce: 'n' }, { typ: 'JWT' })), 'as Keycloak marks them').toMatch(/#alice$/);
  });
});

describe('keys of the issuer', () => {
  test('are asked for once, and again when it signs with a new one; the old one no longer counts then', async () => {
    const old = await server.token();
    await Promise.all(Array.from({ length: 20 }, () => verifier.verify(old)));
    expect(server.asked).toBe(1);
    await server.rotate('second');
    await new Promise((resolve) => setTimeout(resolve, COOLDOWN_MS * 2));
    expect(await outcome(await server.token())).toMatch(/#alice$/);
    expect(server.asked).toBe(2);
    expect(await outcome(old)).toBe('unauthenticated');
  });

  test('are not asked for at every token with an unknown key', async () => {
    const slow = verifierOf({ keysCooldownMs: 60_000 });
    await slow.verify(await server.token());
    const unknown = await server.token({}, { kid: 'unknown' });
    await Promise.all(Array.from({ length: 50 }, () => outcome(unknown, slow)));
    expect(server.asked).toBe(1);
  });
});

describe('an issuer', () => {
  test('that is down lets nobody in and says so; known keys go on for their time, and it may come back', async () => {
    const { port } = new URL(server.url);
    const brief = verifierOf({ keysMaxAgeMs: 400 });
    const token = await server.token();
    await server.close();
    expect(await outcome(token)).toBe('identityUnavailable');
    server = await KeyServer.listen(Number(port));
    const [later, another] = [await server.token(), await server.token({ sub: 'bob' })];
    expect(await outcome(token), 'signed with a key that the issuer lost').toBe('unauthenticated');
    expect(await outcome(later)).toMatch(/#alice$/);
    expect(await outcome(later, brief)).toMatch(/#alice$/);
    await server.close();
    expect(await outcome(another, brief)).toMatch(/#bob$/);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(await outcome(another, brief)).toBe('identityUnavailable');
  });

  test('that moves its keys is found again, and one that is down meanwhile is not forgotten', async () => {
    const forgetful = verifierOf({ metadataMaxAgeMs: 0, keysMaxAgeMs: 60_000 });
    const token = await server.token();
    expect(await outcome(token, forgetful)).toMatch(/#alice$/);
    server.keysPath = '/elsewhere';
    expect(await outcome(token, forgetful)).toMatch(/#alice$/);
    await server.close();
    expect(await outcome(token, forgetful)).toMatch(/#alice$/);
  });

  test('that names itself otherwise is not trusted', async () => {
    const token = await server.token();
    server.names = 'https://other.example';
    expect(await outcome(token)).toBe('identityUnavailable');
  });
});
