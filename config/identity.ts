import { TollgateError } from '../contracts/failures.ts';
import type { IdentityVariables, OidcSettings, RateLimits, SessionSettings } from './identity-schema.ts';

const HOUR_MS = 3_600_000;

/** What the settings say of who may do what. */
export interface IdentitySettings {
  readonly oidc?: OidcSettings;
  readonly publicUrl?: string;
  readonly session: SessionSettings;
  /** Keys of decisions for production; absent: the development key of the data folder. */
  readonly decisionKeys: { readonly signing?: string; readonly verifying?: string };
  readonly rates: RateLimits;
  /** Whose word on where a request came from is believed. */
  readonly trustedProxies: readonly string[];
}

/** @throws TollgateError `invalidInput` where settings do not go together. */
export function identityOf(variables: IdentityVariables): IdentitySettings {
  const oidc = oidcOf(variables);
  return {
    ...(oidc === undefined ? {} : { oidc }),
    ...(variables.TOLLGATE_PUBLIC_URL === undefined ? {} : { publicUrl: variables.TOLLGATE_PUBLIC_URL }),
    session: {
      ...(variables.TOLLGATE_SESSION_KEY === undefined ? {} : { keys: variables.TOLLGATE_SESSION_KEY }),
      lifetimeMs: variables.TOLLGATE_SESSION_HOURS * HOUR_MS,
    },
    decisionKeys: {
      ...(variables.TOLLGATE_DECISION_KEY === undefined ? {} : { signing: variables.TOLLGATE_DECISION_KEY }),
      ...(variables.TOLLGATE_DECISION_PUBLIC_KEYS === undefined ? {} : { verifying: variables.TOLLGATE_DECISION_PUBLIC_KEYS }),
    },
    rates: {
      address: variables.TOLLGATE_RATE_ADDRESS,
      caller: variables.TOLLGATE_RATE_CALLER,
      decide: variables.TOLLGATE_RATE_DECIDE,
      login: variables.TOLLGATE_RATE_LOGIN,
    },
    trustedProxies: variables.TOLLGATE_TRUSTED_PROXIES,
  };
}

function oidcOf(variables: IdentityVariables): OidcSettings | undefined {
  const { TOLLGATE_OIDC_ISSUER: issuer, TOLLGATE_OIDC_AUDIENCE: audience, TOLLGATE_OIDC_CLIENT_ID: id, TOLLGATE_OIDC_CLIENT_SECRET: secret } = variables;
  if (issuer === undefined) {
    if (audience === undefined && id === undefined && secret === undefined) return undefined;
    throw new TollgateError('invalidInput', 'TOLLGATE_OIDC_AUDIENCE and TOLLGATE_OIDC_CLIENT_… need TOLLGATE_OIDC_ISSUER, which is not set.');
  }
  if (audience === undefined)
    throw new TollgateError(
      'invalidInput',
      'TOLLGATE_OIDC_ISSUER needs TOLLGATE_OIDC_AUDIENCE: without it a token for any other application of the issuer would count here.',
    );
  if (secret !== undefined && id === undefined)
    throw new TollgateError('invalidInput', 'TOLLGATE_OIDC_CLIENT_SECRET belongs to TOLLGATE_OIDC_CLIENT_ID: set both, or unset it.');
  const client = id === undefined ? undefined : { id, ...(secret === undefined ? {} : { secret }), scopes: variables.TOLLGATE_OIDC_SCOPES };
  return { issuer, audience, claims: claimsOf(variables), ...(client === undefined ? {} : { client }) };
}

function claimsOf(variables: IdentityVariables): OidcSettings['claims'] {
  const { TOLLGATE_OIDC_ROLES: roleMapping, TOLLGATE_OIDC_START_ROLE: startRole, TOLLGATE_OIDC_DEFAULT_TENANT: defaultTenant } = variables;
  return {
    roles: variables.TOLLGATE_OIDC_ROLES_CLAIM,
    tenant: variables.TOLLGATE_OIDC_TENANT_CLAIM,
    displayName: variables.TOLLGATE_OIDC_NAME_CLAIM,
    ...(roleMapping === undefined ? {} : { roleMapping }),
    ...(startRole === undefined ? {} : { startRole }),
    ...(defaultTenant === undefined ? {} : { defaultTenant }),
  };
}
