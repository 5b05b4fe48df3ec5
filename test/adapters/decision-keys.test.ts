import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newDecisionKeyPair, openSigningKey, openVerifyingKeys, unverifiedOnly } from '../../adapters/keys/decision-keys.ts';
import type { Decision } from '../../contracts/approval.ts';
import { decisionPorts } from '../../worker/wiring.ts';
import { loadSettings } from '../../config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const decision: Decision = {
  version: 1,
  agentRunId: 'run',
  firstExecutionRunId: 'first',
  approvalId: 'gate',
  actionDigest: 'a'.repeat(64),
  verdict: 'approve',
  approver: 'alice',
  roles: ['lead'],
  nonce: '12345678',
  expiresAtMs: 1,
};
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const pems = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
};

describe('a pair', () => {
  test('signs and verifies, as base64, as PEM, and as files of either', () => {
    for (const { privateKey, publicKey } of [newDecisionKeyPair(), pems()]) {
      const verifiers = [publicKey, file('public', publicKey)].map(openVerifyingKeys);
      for (const signer of [privateKey, file('private', privateKey)].map(openSigningKey))
        for (const verifier of verifiers) expect(verifier.verify(signer.sign(decision))).toEqual(decision);
    }
  });

  test('gives way to a new one: while both public keys are there both count, after that the old one no longer', () => {
    const [old, fresh] = [newDecisionKeyPair(), newDecisionKeyPair()];
    const byOld = openSigningKey(old.privateKey).sign(decision);
    expect(openVerifyingKeys(`${old.publicKey}, ${fresh.publicKey}`).verify(byOld)).toEqual(decision);
    expect(openVerifyingKeys(file('both', pems().publicKey + pems().publicKey)).verify(byOld)).toBeNull();
    expect(openVerifyingKeys(fresh.publicKey).verify(byOld)).toBeNull();
  });
});

test('what is no such key is refused by its name and not printed; a private key has no place at a worker', () => {
  const { privateKey, publicKey } = newDecisionKeyPair();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const wrongPrivate = [
    publicKey,
    `${privateKey},${privateKey}`,
    file('empty', ''),
    join(folder, 'none'),
    privateKey.slice(4),
    rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  ];
  for (const setting of wrongPrivate) expect(() => openSigningKey(setting)).toThrow(/^TOLLGATE_DECISION_KEY \(not shown\)/);
  const wrongPublic = [
    privateKey,
    `${publicKey},${privateKey}`,
    pems().privateKey,
    file('private', pems().privateKey),
    file('empty', ''),
    join(folder, 'none'),
    'nonsense',
    rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ',',
  ];
  for (const setting of wrongPublic) expect(() => openVerifyingKeys(setting)).toThrow(/^TOLLGATE_DECISION_PUBLIC_KEYS \(not shown\)/);
  for (const act of [() => openVerifyingKeys(privateKey), () => openSigningKey(`${privateKey.slice(0, -2)}==`)])
    expect(act).toThrow(expect.objectContaining({ message: expect.not.stringContaining(privateKey.slice(20, 40)) }));
});

describe('a worker', () => {
  const { privateKey, publicKey } = newDecisionKeyPair();
  const ports = (env: Record<string, string>) => decisionPorts(loadSettings({ TOLLGATE_HOME: folder, ...env }));
  const remote = { TEMPORAL_ADDRESS: 'temporal:7233' };

  test('beyond its own machine starts only with public keys, and neither signs nor lets requesters decide there', async () => {
    await expect(ports(remote)).rejects.toMatchObject({ type: 'invalidInput', message: expect.stringContaining('keys pair') });
    await expect(ports({ ...remote, TOLLGATE_DECISION_KEY: privateKey })).rejects.toMatchObject({
      message: expect.stringContaining('TOLLGATE_DECISION_PUBLIC_KEYS'),
    });
    for (const env of [{ ...remote, TOLLGATE_DECISION_PUBLIC_KEYS: publicKey }, { TOLLGATE_DECISION_PUBLIC_KEYS: publicKey }])
      expect(await ports(env)).toMatchObject({ unsignedSigner: null, requesterMayDecideByDefault: false });
  });

  test('takes a bare signal in development, and elsewhere only where it is told to; its own key then speaks for no person', async () => {
    expect((await ports({})).unsignedSigner).not.toBeNull();
    expect((await ports({ TOLLGATE_UNSIGNED_SIGNALS: 'refuse' })).unsignedSigner).toBeNull();
    expect((await ports({ ...remote, TOLLGATE_INSECURE: '1' })).unsignedSigner).toBeNull();
    const { unsignedSigner, verifier } = await ports({ ...remote, TOLLGATE_DECISION_PUBLIC_KEYS: publicKey, TOLLGATE_UNSIGNED_SIGNALS: 'allow' });
    expect(verifier.verify(unsignedSigner?.sign(decision) ?? '')).toBeNull();
    expect(verifier.verify(unsignedSigner?.sign({ ...decision, unverified: true }) ?? '')).toMatchObject({ unverified: true });
    expect(unverifiedOnly(openVerifyingKeys(publicKey)).verify(openSigningKey(privateKey).sign({ ...decision, unverified: false }))).toBeNull();
  });
});

test('settings that do not go together are refused before anything starts', () => {
  const oidc = { TOLLGATE_OIDC_ISSUER: 'https://login.example', TOLLGATE_OIDC_AUDIENCE: 'api' };
  for (const [env, message] of [
    [{ TOLLGATE_OIDC_ISSUER: 'https://login.example' }, /TOLLGATE_OIDC_AUDIENCE/],
    [{ TOLLGATE_OIDC_AUDIENCE: 'api' }, /TOLLGATE_OIDC_ISSUER/],
    [{ ...oidc, TOLLGATE_OIDC_CLIENT_SECRET: 's' }, /TOLLGATE_OIDC_CLIENT_ID/],
    [{ ...oidc, TOLLGATE_AS: 'alice:lead' }, /TOLLGATE_AS/],
    [{ ...oidc, TOLLGATE_OIDC_ISSUER: 'http://login.example' }, /https/],
    [{ ...oidc, TOLLGATE_OIDC_ISSUER: 'http://127.0.0.1.evil.example' }, /https/],
    [{ ...oidc, TOLLGATE_OIDC_ISSUER: 'https://me@login.example' }, /TOLLGATE_OIDC_ISSUER/],
    [{ ...oidc, TOLLGATE_PUBLIC_URL: 'http://tollgate.example' }, /https/],
    [{ ...oidc, TOLLGATE_OIDC_ROLES: 'leads' }, /value=role/],
    [{ ...oidc, TOLLGATE_OIDC_SCOPES: 'profile' }, /openid/],
    [{ TOLLGATE_SESSION_KEY: 'short' }, /TOLLGATE_SESSION_KEY is \(not shown\)/],
    [{ TOLLGATE_UNSIGNED_SIGNALS: 'yes' }, /TOLLGATE_UNSIGNED_SIGNALS/],
  ] as const)
    expect(() => loadSettings({ TOLLGATE_HOME: folder, ...env })).toThrow(message);
  const { oidc: known, allowUnsigned } = loadSettings({ TOLLGATE_HOME: folder, ...oidc, TOLLGATE_OIDC_ROLES: 'a b=lead, a b=payer,p=*' });
  expect(known?.claims.roleMapping).toEqual({ 'a b': ['lead', 'payer'], p: ['*'] });
  expect(allowUnsigned).toBe(false);
});
