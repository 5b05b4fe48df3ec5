import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type ClaimRules, type Claims, personOf } from '../../domain/identity/claims.ts';

const rules: ClaimRules = { roles: 'roles', tenant: 'tenant', displayName: 'name' };
const of = (claims: Claims, changes: Partial<ClaimRules> = {}, issuer = 'https://login.example/realms/acme') =>
  personOf(issuer, { sub: 'u-1', tenant: 'acme', ...claims }, { ...rules, ...changes }, (text) => createHash('sha256').update(text).digest('hex'));
const typeOf = (act: () => unknown) => {
  try {
    return act();
  } catch (error) {
    return (error as { readonly type: string }).type;
  }
};

describe('roles', () => {
  test('are the values of the claim, however it is written, and never all of them', () => {
    expect(of({ roles: ['a', 'b', 'a'] }).roles).toEqual(['a', 'b']);
    expect(of({ roles: 'a b,c' }).roles).toEqual(['a', 'b', 'c']);
    expect(of({ realm_access: { roles: ['a'] } }, { roles: 'realm_access.roles' }).roles).toEqual(['a']);
    expect(of({ 'https://acme.example/roles': ['a'] }, { roles: 'https://acme.example/roles' }).roles).toEqual(['a']);
    for (const nothing of [undefined, null, 5, {}, [], [5, null, { a: 1 }], '', '*', ['*'], ['a*'], ['a b'], ['a,b'], ['x'.repeat(101)]])
      expect([nothing, of({ roles: nothing }).roles]).toEqual([nothing, []]);
  });

  test('are only those of the mapping where there is one, which alone gives every role', () => {
    const roleMapping = { 'payments leads': ['support-lead', 'payer'], platform: ['*'] };
    expect(of({ roles: ['payments leads', 'support-lead', 'toString', '__proto__'] }, { roleMapping }).roles).toEqual(['support-lead', 'payer']);
    expect(of({ roles: ['platform'] }, { roleMapping }).roles).toEqual(['*']);
    expect(of({ roles: ['*'] }, { roleMapping }).roles).toEqual([]);
  });

  test('are refused as a whole where there are too many, rather than cut', () => {
    expect(typeOf(() => of({ roles: Array.from({ length: 65 }, (_, index) => `r${index}`) }))).toBe('forbidden');
  });

  test('let start only whoever holds the role that the settings name', () => {
    expect(of({ roles: ['starter'] }).mayStart).toBe(false);
    expect(of({ roles: ['starter'] }, { startRole: 'starter' }).mayStart).toBe(true);
    expect(of({ roles: ['other'] }, { startRole: 'starter' }).mayStart).toBe(false);
  });
});

describe('the tenant', () => {
  test('is the one that the claim names; a token never names all, none, or several', () => {
    expect(of({}).tenant).toBe('acme');
    for (const tenant of ['*', '', ['acme'], ['acme', 'globex'], 5, {}, 'x'.repeat(101)])
      expect([tenant, typeOf(() => of({ tenant }, { defaultTenant: '*' }))]).toEqual([tenant, 'forbidden']);
  });

  test('of people without it is what the settings say, and else they are refused', () => {
    expect(typeOf(() => of({ tenant: undefined }))).toBe('forbidden');
    expect(of({ tenant: undefined }, { defaultTenant: 'acme' }).tenant).toBe('acme');
    expect(of({ tenant: null }, { defaultTenant: '*' }).tenant).toBeNull();
  });
});

describe('a name', () => {
  test('is one subject’s of one issuer, and no other’s', () => {
    expect(of({}).name).toBe('oidc:login.example/realms/acme#u-1');
    const names = [
      of({}),
      of({}, {}, 'https://login.example/realms/other'),
      of({ sub: 'U-1' }),
      of({ sub: 'u-1 ' }),
      of({ sub: `sha256:${'0'.repeat(64)}` }),
    ].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const sub of ['u 1', 'u\n1', 'ü', 'x'.repeat(300), 'sha256:abc']) expect(of({ sub }).name).toMatch(/#sha256:[0-9a-f]{64}$/);
    for (const { length } of names) expect(length).toBeLessThanOrEqual(200);
  });

  test('to be shown is the claim’s, without what cannot be seen, and proves nothing', () => {
    expect(of({ name: 'Ali\u202ece\n' }).displayName).toBe('Alice');
    expect(of({ preferred_username: 'alice' }).displayName).toBe('alice');
    expect(of({ name: 5, email: 'a@acme.example' }).displayName).toBe('a@acme.example');
    expect(of({}).displayName).toBe('u-1');
    expect(of({ name: 'oidc:login.example/realms/acme#u-2' }).name).toBe('oidc:login.example/realms/acme#u-1');
  });

  test('is nobody’s without a subject', () => {
    for (const sub of [undefined, '', 5]) expect(typeOf(() => of({ sub }))).toBe('unauthenticated');
  });
});
