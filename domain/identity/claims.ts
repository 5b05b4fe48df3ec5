import { TollgateError } from '../../contracts/failures.ts';
import type { VerifiedPerson } from './port.ts';

const MAX_ROLES = 64;
const MAX_ROLE_LENGTH = 100;
const MAX_NAME_LENGTH = 200;
const MAX_TENANT_LENGTH = 100;
/** Letters, digits and signs that cannot be taken for one another, or for a space, where a person reads the audit. */
const PLAIN_SUBJECT = /^[\x21-\x7e]+$/;
const PLAIN_ROLE = /^[^\s,*]+$/;

/** What the claims of an issuer mean here. */
export interface ClaimRules {
  readonly roles: string;
  readonly roleMapping?: Readonly<Record<string, readonly string[]>>;
  readonly startRole?: string;
  readonly tenant: string;
  readonly defaultTenant?: string;
  readonly displayName: string;
}

export type Claims = Readonly<Record<string, unknown>>;

/**
 * Who the claims of a verified token are about, and what that one may do. Pure. `hash` shortens a subject that is no plain name.
 * @throws TollgateError `unauthenticated` without a subject, `forbidden` where no tenant is theirs.
 */
export function personOf(issuer: string, claims: Claims, rules: ClaimRules, hash: (text: string) => string): VerifiedPerson {
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '') throw new TollgateError('unauthenticated', 'The token names nobody: it has no "sub".');
  const roles = rolesOf(claimAt(claims, rules.roles), rules.roleMapping);
  return {
    name: nameOf(issuer, sub, hash),
    displayName: displayNameOf(claims, rules.displayName) ?? sub.slice(0, MAX_NAME_LENGTH),
    roles,
    tenant: tenantOf(claimAt(claims, rules.tenant), rules),
    mayStart: rules.startRole !== undefined && roles.includes(rules.startRole),
  };
}

/** An issuer has no `#`, so that no subject can pass for one of another issuer. */
function nameOf(issuer: string, sub: string, hash: (text: string) => string): string {
  const place = issuer.replace(/^https?:\/\//, '').replace(/\/$/, '');
  const name = `oidc:${place}#${sub}`;
  // What stands for a subject begins as no plain one does here: two people never share a name.
  return PLAIN_SUBJECT.test(sub) && !sub.startsWith('sha256:') && name.length <= MAX_NAME_LENGTH
    ? name
    : `oidc:${place.slice(0, 100)}#sha256:${hash(`${issuer}\n${sub}`)}`;
}

/** `*` stands for every role, so only a mapping gives it. */
function rolesOf(value: unknown, mapping: ClaimRules['roleMapping']): readonly string[] {
  const given = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[\s,]+/) : []).filter((one) => typeof one === 'string');
  const roles = mapping
    ? given.flatMap((one) => (Object.hasOwn(mapping, one) ? (mapping[one] ?? []) : []))
    : given.filter((one) => PLAIN_ROLE.test(one) && one.length <= MAX_ROLE_LENGTH);
  const distinct = [...new Set(roles)];
  if (distinct.length <= MAX_ROLES) return distinct;
  throw new TollgateError(
    'forbidden',
    `The token carries ${distinct.length} roles, and ${MAX_ROLES} is the most. Map those that matter with TOLLGATE_OIDC_ROLES, such as payments-leads=support-lead.`,
  );
}

function tenantOf(value: unknown, { tenant, defaultTenant }: ClaimRules): string | null {
  if (value === undefined || value === null) {
    if (defaultTenant === '*') return null;
    if (defaultTenant !== undefined) return defaultTenant;
    throw new TollgateError(
      'forbidden',
      `The token names no tenant: it has no claim "${tenant}". Let the issuer add it, or say whose people without it are: TOLLGATE_OIDC_DEFAULT_TENANT.`,
    );
  }
  // "*" would be every tenant, which is for the settings to say and not for a token.
  if (typeof value === 'string' && value !== '' && value !== '*' && value.length <= MAX_TENANT_LENGTH) return value;
  throw new TollgateError('forbidden', `The claim "${tenant}" of the token is no name of one tenant.`);
}

function displayNameOf(claims: Claims, path: string): string | null {
  for (const value of [claimAt(claims, path), claims.preferred_username, claims.email]) {
    const text = typeof value === 'string' ? value.replace(/\p{C}/gu, '').trim() : '';
    if (text !== '') return text.slice(0, MAX_NAME_LENGTH);
  }
  return null;
}

/** A claim by its whole name, as URLs are, or else by a path of names with dots. */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
