import { describe, expect, test } from 'vitest';
import { createSecretDetector } from '../../../adapters/redaction/secrets/secret-detector.ts';
import { sampleOf } from '../../support/secret-samples.ts';

const detector = createSecretDetector();
const find = (text: string) => detector.find(text, { regions: [] });
const valuesIn = (text: string): string[] => [...new Set(find(text).map(({ start, end }) => text.slice(start, end)))];

const random = (length: number, seed = 1): string => sampleOf(['', '', `[a-zA-Z0-9]{${length - 2}}[0-9][A-Z]`, 0], seed);
const begin = (kind: string): string => `-----BEGIN ${kind}-----`;
const end = (kind: string): string => `-----END ${kind}-----`;
const KINDS = ['PRIVATE KEY', 'RSA PRIVATE KEY', 'OPENSSH PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'PGP PRIVATE KEY BLOCK'];

describe('private keys', () => {
  test.each(KINDS)('%s, whole, in JSON, and cut off', (kind) => {
    const body = [random(64, 1), random(64, 2), random(20, 3)];
    const key = `${begin(kind)}\n${body.join('\n')}\n${end(kind)}`;
    expect(valuesIn(`key:\n${key}\nmore`)).toContain(key);
    const json = JSON.stringify({ key });
    expect(valuesIn(json)).toContain(JSON.stringify(key).slice(1, -1));
    const cut = `${begin(kind)}\n${body.join('\n')}`;
    expect(valuesIn(cut)).toContain(cut);
  });

  test('a public key is none', () => {
    expect(valuesIn(`${begin('PUBLIC KEY')}\n${random(64)}\n${end('PUBLIC KEY')}`)).toEqual([]);
  });
});

describe('credentials', () => {
  test('the password of an address', () => {
    const password = random(12);
    for (const scheme of ['postgres', 'mysql', 'mongodb+srv', 'redis', 'amqp', 'https'])
      expect(
        find(`${scheme}://user:${password}@db.example.com/x`).some(({ start, end: to }) =>
          `${scheme}://user:${password}@db.example.com/x`.slice(start, to).includes(password),
        ),
        scheme,
      ).toBe(true);
  });

  test.each([
    'https://example.com:8080/a@b',
    'http://localhost:3000',
    'https://user@example.com',
    'postgres://user:$PASSWORD@host/db',
    'mailto:ann@example.com',
  ])('none in %s', (text) => {
    expect(valuesIn(text)).toEqual([]);
  });

  test('headers with credentials, and a JSON web token', () => {
    const token = random(40);
    expect(valuesIn(`Authorization: Basic ${token}`)).toContain(token);
    expect(valuesIn(`{"authorization": "Bearer ${token}"}`)).toContain(token);
    expect(valuesIn(`curl -u admin:${token} https://example.com`)).toContain(`admin:${token}`);
    const jwt = `ey${random(30, 1)}.ey${random(60, 2)}.${random(43, 3)}`;
    expect(valuesIn(`session ${jwt}, then`)).toContain(jwt);
  });
});

describe('values that only their label gives away', () => {
  test.each([
    'password = "%"',
    "passwd: '%'",
    'DB_PASSWORD=%',
    '{"password":"%"}',
    'my password is %.',
    '\\"password\\":\\"%\\"',
    'pwd: %',
    'Server=x;Password=%;',
  ])('%s', (form) => {
    const password = `hu${'nter'}2!x`;
    expect(valuesIn(form.replace('%', password))).toContain(password);
  });

  test.each(['api_key: %', 'SECRET_TOKEN="%"', '{"clientSecret":"%"}', 'X-Api-Key: %', 'access_key = %'])('%s', (form) => {
    const value = random(24, 7);
    expect(valuesIn(form.replace('%', value))).toContain(value);
  });

  test.each([
    'password: required',
    'password = process.env.PASSWORD',
    ['password: $', '{DB_PASSWORD}'].join(''),
    'password: "********"',
    'PASSWORD=<your password>',
    '{"password":"string"}',
    'Your password must have eight characters.',
    'the token is: refreshed-every-2-hours',
    'key: src/adapters/redaction/secret-detector.ts',
    'primary key: 123e4567-e89b-12d3-a456-426614174000',
    'the key point: everything is measured',
    'access: 2024-05-06T10:00:00Z',
    'token: getTokenFromVault(name)',
    '{"nextPageToken":"CAoQAA7f3kQ9zX1"}',
    'Idempotency-Key: 7f3kQ9zX1bV5nM2',
    'public_key = 7f3kQ9zX1bV5nM2',
  ])('none in: %s', (text) => {
    expect(valuesIn(text)).toEqual([]);
  });
});
