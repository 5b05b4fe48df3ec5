import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { TollgateError } from '../../contracts/failures.ts';
import type { TokenVerifier, VerifiedPerson } from '../../domain/identity/port.ts';
import type { ApiKeyScope, ApiKeyStore } from '../../domain/store/port.ts';
import { API_KEY_SCOPES, secretDigestOf } from '../api-key.ts';
import type { Identity } from '../decision.ts';
import type { PersonSession } from './session.ts';

/** Who sent a request, and what that one may do. */
export interface Caller {
  readonly identity: Identity;
  readonly scopes: readonly ApiKeyScope[];
  /** The one tenant that this caller may know of; null: every tenant. */
  readonly tenant: string | null;
  /** True for the developer at this machine, who could use the store as well. */
  readonly isLocal: boolean;
  /** True for a person whom the issuer vouches for: of the gates, they see those that are theirs to decide. */
  readonly isPerson?: boolean;
  /** The session of their browser, where the request came with one. */
  readonly session?: Pick<PersonSession, 'csrfToken' | 'expiresAtMs'>;
}

export interface AuthPorts {
  readonly keys: ApiKeyStore;
  /** Whom a request without a key may act as; null where the configuration does not allow it. */
  readonly developer: Identity | null;
  /** Whether also where there has been a key. */
  readonly developerBesideKeys: boolean;
  /** Whether every address that is listened on is this machine's own. Asked at each request: it is known only once we listen. */
  readonly isListeningLocally: () => boolean;
  /** Verifies people's access tokens; absent where no issuer is configured. */
  readonly tokens?: TokenVerifier;
  /** Where browsers reach this API, for requests of their sessions. */
  readonly publicOrigin?: () => string;
}

export interface RequestOrigin {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string | undefined;
  /** The session that the request's cookie holds, where it holds one that counts. */
  readonly session?: PersonSession | null;
}

/**
 * Who sent this request. A key or token that is wrong is refused, whoever sent it: it never turns into a session or the
 * developer. @throws TollgateError `unauthenticated`, `forbidden`, `identityUnavailable`.
 */
export async function authenticate(ports: AuthPorts, request: RequestOrigin): Promise<Caller> {
  const { authorization } = request.headers;
  if (authorization !== undefined) return await bearer(ports, authorization);
  if (!request.session) return await asDeveloper(ports, request);
  const { person, csrfToken, expiresAtMs } = request.session;
  if (!SAFE_METHODS.includes(request.method)) demandOwnPage(request.headers, csrfToken, ports.publicOrigin?.());
  return { ...callerOf(person), session: { csrfToken, expiresAtMs } };
}

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS'];

/** What a browser sends along by itself proves only whose browser it is, and not who made it send. */
function demandOwnPage(headers: IncomingHttpHeaders, csrfToken: string, publicOrigin: string | undefined): void {
  const { origin, [CSRF_HEADER]: sent } = headers;
  const isForeign = (origin !== undefined && origin !== publicOrigin) || headers['sec-fetch-site'] === 'cross-site';
  if (!isForeign && typeof sent === 'string' && isSameText(sent, csrfToken)) return;
  throw new TollgateError('forbidden', `A request of a browser's session that changes something carries "${CSRF_HEADER}" with the csrfToken of GET /v1/me.`);
}

export const CSRF_HEADER = 'x-tollgate-csrf';

function isSameText(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text, 'utf8').digest()) as [Buffer, Buffer];
  return timingSafeEqual(left, right);
}

/** A verified person as a caller: reads, decides and repairs, as their roles allow; starts only where the settings give that to a role. */
export function callerOf({ name, displayName, roles, tenant, mayStart }: VerifiedPerson): Caller {
  return { identity: { name, displayName, roles }, scopes: mayStart ? API_KEY_SCOPES : ['read', 'decide', 'repair'], tenant, isLocal: false, isPerson: true };
}

async function bearer(ports: AuthPorts, authorization: string): Promise<Caller> {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  if (ports.tokens && token !== undefined && !token.startsWith('tg_')) return callerOf(await ports.tokens.verify(token));
  const digest = token === undefined ? null : secretDigestOf(token);
  const key = digest === null ? null : await ports.keys.findApiKey(digest);
  if (!key || key.revokedAtMs !== null)
    throw new TollgateError('unauthenticated', 'This API does not know the key in "Authorization: Bearer tg_…", or it was revoked.');
  // A name with a colon is no person's: no key can vote as somebody else does.
  return { identity: { name: `key:${key.name}`, roles: key.roles }, scopes: key.scopes, tenant: key.tenant, isLocal: false };
}

async function asDeveloper({ keys, developer, developerBesideKeys, isListeningLocally, tokens }: AuthPorts, request: RequestOrigin): Promise<Caller> {
  const refuse = (because: string) => {
    const what = tokens ? 'a key or an access token as "Authorization: Bearer …"' : 'a key as "Authorization: Bearer tg_…"';
    throw new TollgateError('unauthenticated', `Send ${what} (for the command line: TOLLGATE_TOKEN). ${because}`);
  };
  if (tokens) return refuse('Here everybody is known by an issuer or a key; browsers log in at /login.');
  if (!developer) return refuse('This API takes no request without one.');
  if (!isListeningLocally()) return refuse('An API that listens beyond this machine takes no request without one.');
  const objection = localObjection(request);
  if (objection) return refuse(`Without one it takes only requests from this machine, and ${objection}.`);
  if (!developerBesideKeys && (await keys.listApiKeys(1)).length > 0) return refuse('Since the first key was made, every request needs one.');
  return { identity: developer, scopes: API_KEY_SCOPES, tenant: null, isLocal: true };
}

/**
 * What speaks against a request being the developer's own, at this very machine: that it came over the network, under a
 * name that is not this machine's (a rebound DNS name), through a proxy, or from a page of another site. Null where nothing does.
 */
export function localObjection({ headers, remoteAddress }: Pick<RequestOrigin, 'headers' | 'remoteAddress'>): string | null {
  if (!isLoopbackHost(remoteAddress ?? '')) return 'this one came over the network';
  const { host, origin } = headers;
  if (host === undefined || !isLoopbackHost(hostNameOf(host))) return 'this one names another host';
  if (PROXY_HEADERS.some((name) => headers[name] !== undefined)) return 'this one came through a proxy';
  if (origin !== undefined && origin !== `http://${host}`) return 'this one came from a page of another site';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'this one came from a page of another site';
  return null;
}

const PROXY_HEADERS = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip'];

function hostNameOf(host: string): string {
  try {
    return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '');
  } catch {
    return '';
  }
}

/** Whether an address, or a host name, is this machine's own. */
export function isLoopbackHost(host: string): boolean {
  const address = host.toLowerCase().replace(/^::ffff:/, '');
  if (address === 'localhost' || address === '::1') return true;
  return isIP(address) === 4 && address.startsWith('127.');
}

/** @throws TollgateError `forbidden` where the caller lacks the scope. */
export function demandScope({ identity, scopes }: Caller, scope: ApiKeyScope): void {
  if (scopes.includes(scope)) return;
  throw new TollgateError('forbidden', `This needs a key with the scope "${scope}"; ${identity.name} has ${scopes.join(', ') || 'none'}.`);
}
