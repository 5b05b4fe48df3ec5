import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Provider } from 'oidc-provider';

export const AUDIENCE = 'https://tollgate.example/api';

export interface Account {
  readonly name?: string;
  readonly roles?: readonly string[];
  readonly tenant?: string;
}

/** Who can log in at the issuer, by what they type as their name. */
export const ACCOUNTS: Readonly<Record<string, Account>> = {
  alice: { name: 'Alice Ames', roles: ['support-lead'], tenant: 'acme' },
  bob: { name: 'Bob', roles: ['intern'], tenant: 'acme' },
  mallory: { name: 'Mallory', roles: ['support-lead', '*'], tenant: 'globex' },
  nobody: { name: 'Nobody', roles: ['support-lead'] },
};

/** A real OpenID Connect issuer (`oidc-provider`) on a free port, with one client. */
export class Issuer {
  readonly #server: Server;
  #provider!: Provider;
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async listen(): Promise<Issuer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Issuer(server);
  }

  /** Answers from now on, and sends people back to one of `callbacks`. */
  async serve(...callbacks: readonly string[]): Promise<void> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    this.#provider = new Provider(this.url, {
      clients: [
        {
          client_id: 'tollgate',
          client_secret: 'a secret of the client',
          redirect_uris: [...callbacks],
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
      jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'first', alg: 'RS256', use: 'sig' }] },
      cookies: { keys: ['a key for the cookies of the issuer'] },
      claims: { openid: ['sub'], profile: ['name', 'roles', 'tenant'] },
      features: { resourceIndicators: { enabled: true, getResourceServerInfo: () => RESOURCE, defaultResource: () => [] } },
      findAccount: (_context: unknown, accountId: string) =>
        Object.hasOwn(ACCOUNTS, accountId) ? { accountId, claims: () => ({ sub: accountId, ...ACCOUNTS[accountId] }) } : undefined,
      extraTokenClaims: (_context: unknown, token: { readonly accountId?: string }) => (token.accountId ? ACCOUNTS[token.accountId] : undefined),
      pkce: { required: () => true },
    });
    this.#server.on('request', this.#provider.callback());
  }

  /** An access token as the issuer gives it to a client that acts for `accountId`. */
  async accessToken(accountId: string, audience = AUDIENCE): Promise<string> {
    const client = await this.#provider.Client.find('tollgate');
    const token = new this.#provider.AccessToken({ accountId, client, grantId: 'grant', gty: 'authorization_code', scope: 'decide' });
    token.resourceServer = new this.#provider.ResourceServer(audience, { ...RESOURCE, audience });
    return await token.save();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

const RESOURCE = { scope: 'decide', audience: AUDIENCE, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } };

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** An issuer of nothing but a discovery document and keys, for tokens that no real one would make. */
export class KeyServer {
  readonly #server: Server;
  readonly url: string;
  /** Requests that came for its keys. */
  asked = 0;
  /** What it says that it is; by default, what it is. */
  names: string | undefined;
  /** Where its keys are. */
  keysPath = '/jwks';
  #keys: { readonly kid: string; readonly pair: KeyPair }[] = [];

  private constructor(server: Server) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', async ({ url }, response) => {
      const isKeys = url === this.keysPath;
      if (isKeys) this.asked += 1;
      const keys = await Promise.all(this.#keys.map(async ({ kid, pair }) => ({ ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256', use: 'sig' })));
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(isKeys ? { keys } : { issuer: this.names ?? this.url, jwks_uri: `${this.url}${this.keysPath}` }));
    });
  }

  static async listen(port = 0): Promise<KeyServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const keyServer = new KeyServer(server);
    await keyServer.rotate('first');
    return keyServer;
  }

  get pair(): KeyPair {
    const newest = this.#keys.at(-1);
    if (!newest) throw new Error('there is no key');
    return newest.pair;
  }

  get kid(): string {
    return this.#keys.at(-1)?.kid ?? '';
  }

  /** From now on it signs with a new key, and knows the old one no more. */
  async rotate(kid: string): Promise<void> {
    this.#keys = [{ kid, pair: await generateKeyPair('ES256', { extractable: true }) }];
  }

  /** A token as it would be right, with `changes`; undefined takes a claim away. */
  async token(changes: Readonly<Record<string, unknown>> = {}, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: this.url, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 300, roles: ['support-lead'], tenant: 'acme', ...changes };
    const present = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
    return await new SignJWT(present).setProtectedHeader({ alg: 'ES256', kid: this.kid, typ: 'at+jwt', ...header }).sign(this.pair.privateKey);
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
