import { randomBytes } from 'node:crypto';
import secureSession, { type Session } from '@fastify/secure-session';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { TollgateError } from '../../contracts/failures.ts';
import type { PendingLogin, VerifiedPerson } from '../../domain/identity/port.ts';
import type { EndedSessionStore } from '../../domain/identity/store-port.ts';

/** How long a person may take at the issuer, in seconds. */
const LOGIN_SECONDS = 600;
/** Browsers drop a cookie beyond 4,096 bytes without a word. */
const MAX_COOKIE_LENGTH = 3_800;
const RANDOM_BYTES = 32;

/** A person's session in a browser. It lies whole in the sealed cookie. */
export interface PersonSession {
  readonly id: string;
  readonly person: VerifiedPerson;
  /** What a request that changes something must carry. */
  readonly csrfToken: string;
  readonly expiresAtMs: number;
}

/** A login that is under way: where the person wanted to go, and what only this browser knows. */
export interface LoginUnderWay extends PendingLogin {
  readonly returnTo: string;
}

export interface SessionOptions {
  /** What seals the cookies, 32 bytes each; the first one seals new ones. */
  readonly keys: readonly Uint8Array[];
  readonly lifetimeMs: number;
  /** Whether browsers come by HTTPS: cookies then go nowhere else. */
  readonly isHttps: boolean;
  /** Shared by every process of the API: a copied cookie is ended with its session. */
  readonly ended: EndedSessionStore;
  /** Default: this machine's clock. */
  readonly nowMs?: () => number;
}

export interface Sessions {
  /** The session of a request; null where it has none that counts. */
  read(request: FastifyRequest): Promise<PersonSession | null>;
  /** Begins a new one, whatever the browser had before. @throws TollgateError `forbidden` where it would not fit into a cookie. */
  begin(request: FastifyRequest, person: VerifiedPerson): void;
  /** Ends it, also for whoever copied the cookie, wherever they send it. */
  end(request: FastifyRequest): Promise<void>;
  remember(request: FastifyRequest, login: LoginUnderWay): void;
  /** The login under way, once: it is forgotten by being asked for. */
  takeLogin(request: FastifyRequest): Promise<LoginUnderWay | null>;
}

const text = z.string().min(1);
const sessionSchema = z.object({
  id: text,
  person: z.object({ name: text, displayName: text, roles: z.array(text), tenant: text.nullable(), mayStart: z.boolean() }),
  csrfToken: text,
  expiresAtMs: z.int(),
});
const loginSchema = z.object({ state: text, nonce: text, codeVerifier: text, returnTo: text, untilMs: z.int() });

declare module 'fastify' {
  interface FastifyRequest {
    tollgateLogin: Session;
  }
}

/** Sessions in cookies that are sealed (and so signed), for this site and HTTP alone. */
export async function registerSessions(app: FastifyInstance, { keys, lifetimeMs, isHttps, ended, nowMs = Date.now }: SessionOptions): Promise<Sessions> {
  const cookie = { path: '/', httpOnly: true, sameSite: 'lax', secure: isHttps } as const;
  // With this prefix no neighbour under the same domain can plant one.
  const prefix = isHttps ? '__Host-' : '';
  const key = keys.map((one) => Buffer.from(one));
  await app.register(secureSession, [
    {
      sessionName: 'session',
      cookieName: `${prefix}tollgate`,
      key,
      expiry: Math.ceil(lifetimeMs / 1_000),
      cookie: { ...cookie, maxAge: Math.ceil(lifetimeMs / 1_000) },
    },
    { sessionName: 'tollgateLogin', cookieName: `${prefix}tollgate-login`, key, expiry: LOGIN_SECONDS, cookie: { ...cookie, maxAge: LOGIN_SECONDS } },
  ]);
  return {
    async read(request) {
      const parsed = sessionSchema.safeParse(request.session.get('person'));
      if (!parsed.success || nowMs() >= parsed.data.expiresAtMs) return null;
      return (await ended.isSessionEnded(parsed.data.id)) ? null : parsed.data;
    },
    begin(request, person) {
      const [id, csrfToken] = [randomBytes(RANDOM_BYTES), randomBytes(RANDOM_BYTES)].map((bytes) => bytes.toString('base64url'));
      request.session.regenerate();
      write(request.session, 'person', { id, csrfToken, person, expiresAtMs: nowMs() + lifetimeMs });
      if (app.encodeSecureSession(request.session).length <= MAX_COOKIE_LENGTH) return;
      request.session.regenerate();
      throw new TollgateError('forbidden', 'The issuer says more of this person than a cookie holds. Map the roles that matter with TOLLGATE_OIDC_ROLES.');
    },
    async end(request) {
      const session = sessionSchema.safeParse(request.session.get('person'));
      if (session.success) await ended.endSession(session.data.id, session.data.expiresAtMs);
      request.session.delete();
    },
    remember: (request, login) => write(request.tollgateLogin, 'login', { ...login, untilMs: nowMs() + LOGIN_SECONDS * 1_000 }),
    async takeLogin(request) {
      const login = loginSchema.safeParse(request.tollgateLogin.get('login'));
      request.tollgateLogin.delete();
      if (!login.success || nowMs() >= login.data.untilMs) return null;
      return (await ended.endSession(login.data.state, login.data.untilMs)) ? login.data : null;
    },
  };
}

function write(session: Session, key: string, value: unknown): void {
  (session as Session<Record<string, unknown>>).set(key, value);
}
