import { createHash } from 'node:crypto';
import * as oidc from 'openid-client';
import { TollgateError } from '../../contracts/failures.ts';
import { type ClaimRules, type Claims, claimAt, personOf } from '../../domain/identity/claims.ts';
import type { LoginFlow } from '../../domain/identity/port.ts';
import { ISSUER_TIMEOUT_MS, issuerUnavailable, METADATA_MAX_AGE_MS } from './issuer.ts';

export interface LoginFlowOptions {
  readonly issuer: string;
  readonly client: { readonly id: string; readonly secret?: string; readonly scopes: string };
  readonly claims: ClaimRules;
}

/** Logins at one issuer: authorization code with PKCE, state and nonce; the ID token's signature is verified too. */
export function createLoginFlow(options: LoginFlowOptions): LoginFlow {
  const { issuer, client, claims } = options;
  let known: { readonly configuration: Promise<oidc.Configuration>; readonly untilMs: number } | null = null;
  const configurationOf = (): Promise<oidc.Configuration> => {
    if (known && Date.now() < known.untilMs) return known.configuration;
    const configuration = discover(options).catch((error: unknown) => {
      known = null;
      throw issuerUnavailable(issuer, error);
    });
    known = { configuration, untilMs: Date.now() + METADATA_MAX_AGE_MS };
    return configuration;
  };
  return {
    async begin(redirectUri) {
      const configuration = await configurationOf();
      const pending = { state: oidc.randomState(), nonce: oidc.randomNonce(), codeVerifier: oidc.randomPKCECodeVerifier() };
      const url = oidc.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: client.scopes,
        state: pending.state,
        nonce: pending.nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(pending.codeVerifier),
        code_challenge_method: 'S256',
      });
      return { url: url.href, pending };
    },
    async finish(returnedTo, { state, nonce, codeVerifier }) {
      const configuration = await configurationOf();
      try {
        const tokens = await oidc.authorizationCodeGrant(configuration, new URL(returnedTo), {
          pkceCodeVerifier: codeVerifier,
          expectedState: state,
          expectedNonce: nonce,
          idTokenExpected: true,
        });
        const said = await withUserInfo(configuration, tokens, claims);
        return personOf(issuer, said, claims, (text) => createHash('sha256').update(text, 'utf8').digest('hex'));
      } catch (error) {
        throw toOurWords(issuer, error);
      }
    },
  };
}

async function discover({ issuer, client }: LoginFlowOptions): Promise<oidc.Configuration> {
  const isPlain = issuer.startsWith('http:');
  const found = await oidc.discovery(new URL(issuer), client.id, undefined, oidc.None(), {
    timeout: ISSUER_TIMEOUT_MS / 1_000,
    ...(isPlain ? { execute: [oidc.allowInsecureRequests] } : {}),
  });
  const server = found.serverMetadata();
  // `https://issuer` and `https://issuer/` are two issuers; tokens name one of them.
  if (server.issuer !== issuer) throw new Error(`its discovery document names the issuer ${server.issuer.slice(0, 200)}`);
  const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const secretAuth = methods.includes('client_secret_basic') ? oidc.ClientSecretBasic : oidc.ClientSecretPost;
  const configuration = new oidc.Configuration(server, client.id, undefined, client.secret === undefined ? oidc.None() : secretAuth(client.secret));
  configuration.timeout = ISSUER_TIMEOUT_MS / 1_000;
  if (isPlain) oidc.allowInsecureRequests(configuration);
  oidc.enableNonRepudiationChecks(configuration);
  return configuration;
}

/** Many issuers keep roles and names out of the ID token. What the user info says of somebody else is refused. */
async function withUserInfo(configuration: oidc.Configuration, tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers, rules: ClaimRules) {
  const idToken = tokens.claims() as (Claims & { readonly sub: string }) | undefined;
  if (!idToken) throw new TollgateError('unauthenticated', 'The issuer sent no ID token.');
  const isComplete = [rules.roles, rules.tenant, rules.displayName].every((path) => claimAt(idToken, path) !== undefined);
  if (isComplete || configuration.serverMetadata().userinfo_endpoint === undefined) return idToken;
  return { ...(await oidc.fetchUserInfo(configuration, tokens.access_token, idToken.sub)), ...idToken };
}

function toOurWords(issuer: string, error: unknown): unknown {
  if (error instanceof TollgateError) return error;
  const isOurs = error instanceof TypeError || (error instanceof oidc.ClientError && /TIMEOUT|NOT_CONFORM/.test(error.code ?? ''));
  if (isOurs) return issuerUnavailable(issuer, error);
  const code = (error as { readonly error?: unknown }).error;
  const why = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? ` (${code})` : '';
  return new TollgateError('unauthenticated', `The login did not come to its end${why}. Begin again at /login.`, { cause: error });
}
