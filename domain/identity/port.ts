/** A person whom an issuer vouches for. */
export interface VerifiedPerson {
  /** Stable, and nobody else's: `oidc:<issuer>#<subject>`. What decisions are signed for. */
  readonly name: string;
  /** How people call them. Proves nothing. */
  readonly displayName: string;
  readonly roles: readonly string[];
  /** The one tenant that they may know of; null: every tenant. */
  readonly tenant: string | null;
  /** Whether they may start runs, beside reading and deciding. */
  readonly mayStart: boolean;
}

/** Verifies the access tokens of one issuer. Never answers with somebody whom it could not verify. */
export interface TokenVerifier {
  /**
   * @throws TollgateError `unauthenticated` where the token does not count, `forbidden` where it names no tenant,
   * `identityUnavailable` where the issuer cannot be asked for its keys.
   */
  verify(token: string): Promise<VerifiedPerson>;
}

/** What a login that was begun must remember until it is finished, in the browser that began it. */
export interface PendingLogin {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
}

/** A login in a browser, by authorization code with PKCE. */
export interface LoginFlow {
  /** Where to send the browser. @throws TollgateError `identityUnavailable`. */
  begin(redirectUri: string): Promise<{ readonly url: string; readonly pending: PendingLogin }>;
  /**
   * Redeems what the issuer sent the browser back with, at `redirectUri` with its query.
   * @throws TollgateError `unauthenticated`, `forbidden`, `identityUnavailable`.
   */
  finish(returnedTo: string, pending: PendingLogin): Promise<VerifiedPerson>;
}
