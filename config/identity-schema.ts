import { z } from 'zod';

const MAX_NAME_LENGTH = 100;
const claim = z.string().regex(/^[^\s]{1,200}$/, 'the name of a claim, or a path such as realm_access.roles');
const role = z.string().regex(/^[^\s,=]{1,100}$/, 'a role, without spaces');
const tenant = z.string().min(1).max(MAX_NAME_LENGTH);
const perMinute = z.coerce.number().int().min(1).max(10_000_000);

/** A server that people are known by. Over plain HTTP anybody on the way could be it. */
const trustedUrl = z
  .url({ protocol: /^https?$/ })
  .refine((value) => isSafeUrl(value), 'https://…; http:// only on this machine (localhost, 127.0.0.1)')
  .refine((value) => /^[^?#@]*$/.test(value), 'without user, query or fragment');

/** `group=role`, by comma; a group may come more than once. */
const roleMapping = z.string().transform((value, context): Readonly<Record<string, readonly string[]>> => {
  const entries = value.split(',').map((entry) => /^\s*([^=]+?)\s*=\s*([^\s,=]{1,100})\s*$/.exec(entry));
  const mapping: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const entry of entries) {
    const [, group = '', given = ''] = entry ?? [];
    if (group === '') {
      context.addIssue({ code: 'custom', message: 'value=role, by comma, e.g. payments-leads=support-lead,platform=*' });
      return z.NEVER;
    }
    mapping[group] = [...(mapping[group] ?? []), given];
  }
  return mapping;
});

/** Requests in a minute, unless the settings say otherwise. */
export const DEFAULT_RATES: RateLimits = { address: 12_000, caller: 6_000, decide: 3_000, login: 30 };

/** The settings of who may do what: people by OpenID Connect, keys of decisions, sessions, limits of the API. */
export const identityVariables = {
  /** Who people are verified by: any OpenID Connect issuer, exactly as its tokens name it. */
  TOLLGATE_OIDC_ISSUER: trustedUrl.optional(),
  /** What access tokens must be meant for. */
  TOLLGATE_OIDC_AUDIENCE: z.string().min(1).max(1_000).optional(),
  /** Tollgate as a client of the issuer; with it people can log in by browser. */
  TOLLGATE_OIDC_CLIENT_ID: z.string().min(1).max(1_000).optional(),
  TOLLGATE_OIDC_CLIENT_SECRET: z.string().min(1).max(4_000).optional(),
  /** What a login asks the issuer for. */
  TOLLGATE_OIDC_SCOPES: z
    .string()
    .regex(/^openid(?: [\x21-\x7e]+)*$/, 'openid, and more by space')
    .default('openid profile'),
  /** Where a token has a person's roles: a claim with a text, or a list of them. */
  TOLLGATE_OIDC_ROLES_CLAIM: claim.default('roles'),
  /** Which roles the values of that claim give. Unset: each value is a role by that name (never `*`). */
  TOLLGATE_OIDC_ROLES: roleMapping.optional(),
  /** Whoever holds this role may also start runs. */
  TOLLGATE_OIDC_START_ROLE: role.optional(),
  /** Whoever holds this role may pause runs, let them go on, give steps up and choose models. Asked by workers. */
  TOLLGATE_OPERATOR_ROLE: role.default('operator'),
  /** Whoever holds this role may raise the budget of a run without a gate. Asked by workers. */
  TOLLGATE_RAISE_BUDGET_ROLE: role.default('budget-owner'),
  TOLLGATE_OIDC_TENANT_CLAIM: claim.default('tenant'),
  /** The tenant of people whose token names none; `*`: all of them. Unset: such people are refused. */
  TOLLGATE_OIDC_DEFAULT_TENANT: tenant.optional(),
  TOLLGATE_OIDC_NAME_CLAIM: claim.default('name'),
  /** Where browsers reach the API. */
  TOLLGATE_PUBLIC_URL: trustedUrl.transform((value) => value.replace(/\/+$/, '')).optional(),
  /** What seals the cookies of sessions: 32 bytes in base64 each, by comma, the first one for new ones. Unset: made in the data folder. */
  TOLLGATE_SESSION_KEY: z
    .string()
    .transform((value) => value.split(',').map((key) => Buffer.from(key.trim(), 'base64')))
    .refine((keys) => keys.every((key) => key.length === 32), '32 bytes in base64, e.g. from "openssl rand -base64 32"')
    .optional(),
  TOLLGATE_SESSION_HOURS: z.coerce.number().min(0.01).max(720).default(8),
  /** Signs decisions: an Ed25519 private key, as a file or as base64. For the API, never for workers. */
  TOLLGATE_DECISION_KEY: z.string().min(1).max(10_000).optional(),
  /** What decisions are verified with: public keys, as files or as base64, by comma. */
  TOLLGATE_DECISION_PUBLIC_KEYS: z.string().min(1).max(100_000).optional(),
  /** Whether a bare signal of the Temporal UI or CLI counts, as `unverified`. Unset: in development alone. */
  TOLLGATE_UNSIGNED_SIGNALS: z.enum(['allow', 'refuse']).optional(),
  /** Proxies before the API, as addresses or networks by comma: who they say a request is from is believed, for the limits below. */
  TOLLGATE_TRUSTED_PROXIES: z
    .string()
    .regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?(\s*,\s*[0-9a-fA-F.:]+(\/\d{1,3})?)*$/, 'addresses or networks by comma, e.g. 10.0.0.0/8')
    .transform((value) => value.split(',').map((one) => one.trim()))
    .default([]),
  /** Requests of one address that may come in a minute, before anybody asks who sent them. */
  TOLLGATE_RATE_ADDRESS: perMinute.default(DEFAULT_RATES.address),
  /** Requests of one caller in a minute. */
  TOLLGATE_RATE_CALLER: perMinute.default(DEFAULT_RATES.caller),
  /** Decisions of one caller in a minute. */
  TOLLGATE_RATE_DECIDE: perMinute.default(DEFAULT_RATES.decide),
  /** Logins that one address may begin or finish in a minute. */
  TOLLGATE_RATE_LOGIN: perMinute.default(DEFAULT_RATES.login),
};

const variablesSchema = z.object(identityVariables);
export type IdentityVariables = z.output<typeof variablesSchema>;

/** Whether what goes to a URL cannot be read or changed on the way. */
export function isSafeUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

/** How people are verified, and what their claims mean. */
export interface OidcSettings {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: ClaimSettings;
  /** Tollgate as a client of the issuer; absent where nobody logs in by browser. */
  readonly client?: { readonly id: string; readonly secret?: string; readonly scopes: string };
}

export interface ClaimSettings {
  readonly roles: string;
  readonly roleMapping?: Readonly<Record<string, readonly string[]>>;
  readonly startRole?: string;
  readonly tenant: string;
  /** `*`: every tenant. */
  readonly defaultTenant?: string;
  readonly displayName: string;
}

export interface SessionSettings {
  readonly keys?: readonly Uint8Array[];
  readonly lifetimeMs: number;
}

/** Requests in a minute. */
export interface RateLimits {
  readonly address: number;
  readonly caller: number;
  readonly decide: number;
  readonly login: number;
}
