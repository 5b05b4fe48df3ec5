import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { TollgateError } from '../../contracts/failures.ts';
import type { ApiKeyScope, ApiKeyStore } from '../../domain/store/port.ts';
import { API_KEY_SCOPES, secretDigestOf } from '../api-key.ts';
import type { Identity } from '../decision.ts';

/** Who sent a request, and what that one may do. */
export interface Caller {
  readonly identity: Identity;
  readonly scopes: readonly ApiKeyScope[];
  /** The one tenant that this caller may know of; null: every tenant. */
  readonly tenant: string | null;
  /** True for the developer at this machine, who could use the store as well. */
  readonly isLocal: boolean;
}

export interface AuthPorts {
  readonly keys: ApiKeyStore;
  /** Whom a request without a key may act as; null where the configuration does not allow it. */
  readonly developer: Identity | null;
  /** Whether also where there has been a key. */
  readonly developerBesideKeys: boolean;
  /** Whether every address that is listened on is this machine's own. Asked at each request: it is known only once we listen. */
  readonly isListeningLocally: () => boolean;
}

export interface RequestOrigin {
  readonly headers: IncomingHttpHeaders;
  readonly remoteAddress: string | undefined;
}

/**
 * Who sent this request. A key that is wrong is refused, whoever sent it: it never turns into the developer.
 * @throws TollgateError `unauthenticated`.
 */
export async function authenticate(ports: AuthPorts, request: RequestOrigin): Promise<Caller> {
  const { authorization } = request.headers;
  if (authorization === undefined) return await asDeveloper(ports, request);
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  const digest = token === undefined ? null : secretDigestOf(token);
  const key = digest === null ? null : await ports.keys.findApiKey(digest);
  if (!key || key.revokedAtMs !== null)
    throw new TollgateError('unauthenticated', 'This API does not know the key in "Authorization: Bearer tg_…", or it was revoked.');
  // A name with a colon is no person's: no key can vote as somebody else does.
  return { identity: { name: `key:${key.name}`, roles: key.roles }, scopes: key.scopes, tenant: key.tenant, isLocal: false };
}

async function asDeveloper({ keys, developer, developerBesideKeys, isListeningLocally }: AuthPorts, request: RequestOrigin): Promise<Caller> {
  const refuse = (because: string) => {
    throw new TollgateError('unauthenticated', `Send a key as "Authorization: Bearer tg_…" (for the command line: TOLLGATE_TOKEN). ${because}`);
  };
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
export function localObjection({ headers, remoteAddress }: RequestOrigin): string | null {
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
